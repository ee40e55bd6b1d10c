#compdef tallyd
# What may come next after `tallyd` in zsh. One name a line comes back, and maybe a tab and an explanation.

_tallyd() {
    local line name
    local -a names
    for line in "${(@f)$(_TALLYD_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS="${(j: :)words[1,CURRENT]}" ${(Q)words[1]} 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        name=${${${line%%$'\t'*}//\\/\\\\}//:/\\:}
        [[ $line == *$'\t'* ]] && name+=:${line#*$'\t'}
        names+=($name)
    done
    [[ $PREFIX == --*=* ]] && compset -P '*='
    if (( $#names )); then _describe tallyd names; else _files; fi
}

# zsh runs this file itself after the first Tab; `eval` does before.
if [[ $funcstack[1] == _tallyd ]]; then _tallyd "$@"; else compdef _tallyd tallyd; fi
