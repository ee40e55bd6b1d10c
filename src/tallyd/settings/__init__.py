"""What every settings class is made of: the strict base, the types of the file, secrets, how alerts are told.

Secrets are resolved while the file is validated, by the `SecretReader` in the validation context, so that a
missing key file stands in the same list of problems as a misspelt key.
"""

from tallyd.settings.alerting import AlertSettings, ChannelName, ChannelUrl, HoursSettings, check_texts
from tallyd.settings.pollers import OutOverride, PollerSettings, RetrySettings
from tallyd.settings.secrets import UNREADABLE_CREDENTIAL, Secret, SecretReader
from tallyd.settings.top import (
    DatabaseSettings,
    HeartbeatSettings,
    HttpSettings,
    LogSettings,
    OutSettings,
    StateSettings,
    holds_password,
)
from tallyd.settings.types import (
    Days,
    Duration,
    FolderPath,
    KeylessUrl,
    PositiveInt,
    Seconds,
    Strict,
    TimeOfDay,
    Url,
    Zone,
    as_tuple,
    check_folder,
    did_you_mean,
    is_loopback,
    is_secret_name,
    parse_days,
    parse_duration,
    parse_time_of_day,
    parse_url,
    parse_zone,
    show_duration,
    wrong,
    wrong_each,
)
from tallyd.settings.web import WebSettings

__all__ = [
    "UNREADABLE_CREDENTIAL",
    "AlertSettings",
    "ChannelName",
    "ChannelUrl",
    "DatabaseSettings",
    "Days",
    "Duration",
    "FolderPath",
    "HeartbeatSettings",
    "HoursSettings",
    "HttpSettings",
    "KeylessUrl",
    "LogSettings",
    "OutOverride",
    "OutSettings",
    "PollerSettings",
    "PositiveInt",
    "RetrySettings",
    "Seconds",
    "Secret",
    "SecretReader",
    "StateSettings",
    "Strict",
    "TimeOfDay",
    "Url",
    "WebSettings",
    "Zone",
    "as_tuple",
    "check_folder",
    "check_texts",
    "did_you_mean",
    "holds_password",
    "is_loopback",
    "is_secret_name",
    "parse_days",
    "parse_duration",
    "parse_time_of_day",
    "parse_url",
    "parse_zone",
    "show_duration",
    "wrong",
    "wrong_each",
]
