"""Messages to people through Apprise; each delivery has a process of its own.

`sender.py` is what the rest of tallyd sees. `child_pool.py` starts, limits and kills the child. In the child,
`child_main.py` shuts it off from the outside and reads the job, and `child_jobs.py` does it:
`apprise_service.py` finds Apprise's plugin for a URL, `markup.py` writes the text so that services show it
as it is, `probe.py` tries without sending, `errors.py` says why it failed, and `answers.py` whether an
answer means that the message was taken. `rocketchat_url.py` knows the webhooks of Rocket.Chat, which Apprise
does not take as they are.
"""
