"""The command line as a client of the service. Nothing here is imported before one of its commands is called.

session   where one is signed in: tokens in a file that only its owner reads
oauth     how tokens are got: by a browser (code and PKCE), by a secret, by an earlier token
api       requests that last through hiccups, and problems that become our errors
body      the options of ``export`` as the API's body
download  a COG to a file: resumed, checked, or not there at all
show      what people see
commands  login, submit, status, wait, download, cancel, audit
"""
