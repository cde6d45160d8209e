// The code stands in the fragment, which no server is sent. It is posted once, and leaves the history.
const code = location.hash.slice(1);
if (code) {
  history.replaceState(null, '', location.pathname);
  document.getElementById('code').value = code;
  document.getElementById('open').requestSubmit();
}
