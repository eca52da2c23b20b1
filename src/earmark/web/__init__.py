"""The HTTP API and the page: the same workflows as the command line, for a browser.

`earmark.web.server.serve` runs it; `earmark.web.app.create_app` builds the application. What it
answers is described by `earmark.web.schemas`, where it answers by `earmark.web.routes`.

Untrusted bytes are decoded in worker processes with limits (`earmark.web.workers`), long work runs
in child processes that survive the page and are taken up again after a restart
(`earmark.web.jobs.queue`), and no file outside the libraries given at the start is touched
(`earmark.web.roots`).
"""
