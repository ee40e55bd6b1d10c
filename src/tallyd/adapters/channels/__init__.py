"""Messages to people by way of Apprise, each delivery in a process of its own.

`channels.py` is what the rest of tallyd sees; `process.py` starts, limits and kills the child. In the child:
`child.py` shuts it off from the outside and reads the job, `jobs.py` does it, `services.py` finds Apprise's
plugin for a URL, `wording.py` writes the text so that services show it as it is, `probing.py` tries without
sending, `faults.py` sees why it failed, `answers.py` whether an answer means that it was taken. `urls.py`
knows the webhooks of Rocket.Chat, which Apprise does not take as they are.
"""

from tallyd.adapters.channels.channels import Channels

__all__ = ["Channels"]
