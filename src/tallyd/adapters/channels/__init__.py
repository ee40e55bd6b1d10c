"""Messages to people through Apprise. Each delivery runs in its own process.

The rest of tallyd uses only `sender.py`. `child_pool.py` starts, limits and kills the child. In the child,
`child_main.py` isolates the process and reads the job, and `child_jobs.py` does the job. `apprise_service.py`
makes Apprise's plugin for a URL, and `rocketchat_url.py` converts the webhooks of Rocket.Chat for Apprise.
`markup.py` escapes the text, so that services show it as it is. `probe.py` tests a channel without sending.
`errors.py` explains failures, and `answers.py` decides whether an answer means that the message was accepted.
"""
