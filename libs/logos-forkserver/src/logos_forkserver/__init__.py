"""The fork server: one process that has loaded the code of kernels and modules, and forks them.

`python -P -m logos_forkserver FD MODULE…` loads the modules, accepts connections at the
listening Unix socket FD, and forks one process for each (docs/adr/0016). `client` calls it.

Each connection is for one process. Each step is one JSON packet, in this order:

1. The client sends the request, with the file descriptor for the output of the process.
2. The new process sets itself up and answers with its pid and a pidfd, or with an error.
3. The client sends `go`, and the process runs. If the connection ends before, so does the process.
4. When the process has ended, the server sends its exit code.

The socket has mode 0600, and clients must have the server's user id.
"""
