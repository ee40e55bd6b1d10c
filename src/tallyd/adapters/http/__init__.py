"""HTTP requests with limits on time and size. URLs never appear in texts.

Start with `client.py`. `request.py` is what is sent. `connection.py` has sockets and TLS, `pool.py` keeps
those that are idle. `answer.py` reads an answer's head and the pieces of its body, `body.py` unpacks them.
`responses.py` and `errors.py` interpret answers and failures, `ca_store.py` has the trusted certificates.
"""
