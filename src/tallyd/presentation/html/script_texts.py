"""What the scripts of pages say, and how they write dates, in the reader's language."""

from __future__ import annotations

from tallyd.core.language.messages import tr


def script_texts() -> dict[str, str]:
    """Return the texts by name. A script puts values in place of what stands in single braces.

    Dates are in the form of uPlot: `{D}` and `{M}` are numbers, `{MMM}` is the short name of a month.
    """
    return {
        "lost": tr(
            "No answer from tallyd since {at} by this device's clock ({reason}). "
            "What is shown is from then. It is asked again every few seconds.",
            at="{at}",
            reason="{reason}",
        ),
        "lost_tab": tr("No answer · {title}", title="{title}"),
        "drawn": tr("What is drawn, and its values where the pointer is"),
        "spread": tr("{mean} ({least} to {most})", mean="{mean}", least="{least}", most="{most}"),
        "day": tr("{{D}} {{MMM}}"),
        "year": tr("{{YYYY}}"),
        "date": tr("{{YYYY}}-{{MM}}-{{DD}}"),
    }
