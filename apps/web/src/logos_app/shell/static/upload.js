// Uploads: a request each, since only XMLHttpRequest tells how much was sent. The body is the file.
const drop = document.querySelector('[data-drop]'), sending = new Set();
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
function size(n) { let u = 0; while (n >= 1024 && u < 4) { n /= 1024; u++; } return `${u && n < 100 ? n.toFixed(1).replace('.0', '') : Math.round(n)} ${units[u]}`; }
function make(tag, text, parent, name) { const e = document.createElement(tag); e.textContent = text; if (name) e.className = name; parent.append(e); return e; }
async function store(file) {
  const root = drop.dataset.drop, token = JSON.parse(document.body.getAttribute('hx-headers:inherited'))['X-CSRF'];
  const row = make('li', '', byId('uploads'), 'move'), what = make('span', '', row, 'what');
  make('b', file.name, make('bdi', '', what)); make('span', ` into ${root.split('/')[2]}`, what);
  const bar = make('progress', '', row), how = make('span', 'waits', row, 'how'), end = make('button', 'Cancel', row, 'end');
  bar.max = file.size || 1; bar.value = 0; bar.setAttribute('aria-label', file.name); end.type = 'button';
  const show = answer => {
    const parsed = document.createElement('template'); parsed.innerHTML = answer;
    for (const part of parsed.content.querySelectorAll('hx-partial')) byId('notices').prepend(...part.childNodes);
    htmx.process(byId('notices'));
  };
  const cancelled = () => { how.textContent = 'Cancelled. Nothing was stored.'; end.remove(); };
  end.onclick = () => { end.onclick = null; cancelled(); };
  const room = await fetch(`${root}room?size=${file.size}`, {headers: {'HX-Request': 'true'}});
  if (!end.isConnected) return;
  if (!room.ok) { row.remove(); return show(await room.text()); }
  const request = new XMLHttpRequest(), begun = performance.now();
  sending.add(request); end.onclick = () => request.abort();
  request.upload.onprogress = event => {
    const rate = event.loaded / Math.max(.2, (performance.now() - begun) / 1000); bar.value = event.loaded;
    how.textContent = `${Math.min(99, Math.floor(100 * event.loaded / (event.total || 1)))} % · ${size(event.loaded)} of ${size(event.total)} · ${size(rate)}/s · ${Math.ceil((event.total - event.loaded) / rate)} s left`;
  };
  request.onloadend = () => { sending.delete(request); };
  request.onabort = cancelled;
  request.onerror = () => { row.classList.add('stuck'); how.textContent = 'The connection was lost. Nothing was stored.'; end.textContent = 'Try again'; end.onclick = () => { row.remove(); store(file); }; };
  request.onload = () => { sending.delete(request); row.remove(); show(request.responseText); if (request.status === 200 && !sending.size) htmx.ajax('GET', root, {target: '#listed', select: '#listed', swap: 'outerHTML'}); };
  request.open('POST', `${root}put`);
  for (const [name, value] of Object.entries({'X-CSRF': token, 'HX-Request': 'true', 'X-Filename': encodeURIComponent(file.name), 'Content-Type': file.type || 'application/octet-stream'})) request.setRequestHeader(name, value);
  request.send(file);
}
if (drop) {
  acts.choose = () => byId('choose').click();
  acts.sample = () => store(new File([`Stored from the Logos App at ${new Date().toISOString()}.\n`], 'hello.txt', {type: 'text/plain'}));
  document.addEventListener('change', event => { if (event.target.id === 'choose') { for (const file of event.target.files) store(file); event.target.value = ''; } });
  for (const name of ['dragover', 'drop', 'dragleave']) document.addEventListener(name, event => {
    event.preventDefault(); byId('drop').classList.toggle('over', name === 'dragover');
    if (name === 'drop') for (const file of event.dataTransfer.files) store(file);
  });
  addEventListener('beforeunload', event => { if (sending.size) event.preventDefault(); });
}

