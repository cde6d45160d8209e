"""The fork server: one process that has loaded the code of kernels and modules, and forks them.

`python -P -m logos_forkserver FD MODULE…` loads the modules, takes connections at the
listening Unix socket FD, and forks one process for each (docs/adr/0016). `client` asks it.

One connection is one process. In order, each step one packet of JSON:

1. The client sends what to run, with the file that takes its output.
2. The new process sets itself up and answers with its pid and a pidfd, or says why it cannot.
3. The client sends `go`, and the process runs. If the connection ends before, so does the process.
4. When the process has ended, the server sends its exit code.

The socket has mode 0600, and whoever connects must have the server's own user id.
"""
