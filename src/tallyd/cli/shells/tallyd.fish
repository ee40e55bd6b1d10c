# What may come next after `tallyd` in fish. One name a line comes back, and maybe a tab and an explanation.

function __tallyd
    set -lx _TALLYD_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    set -l names (tallyd 2>/dev/null | string match --regex '.+')
    or set names (__fish_complete_path (commandline -ct))
    printf '%s\n' $names
end

complete --command tallyd --no-files --arguments '(__tallyd)'
