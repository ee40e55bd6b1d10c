# What may come next after `tallyd` in bash. One name a line comes back, and maybe a tab and an explanation.

_tallyd() {
    local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} before='' name each
    # Outside quotes, a word ends for bash at : and =, too. It replaces only what is after the last one.
    local typed=${line##*[!\\] }
    [[ $word == [\'\"]* || $typed == "$word" ]] || before=${typed%"${typed##*[:=]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r name _; do
        case $word in
            \'*) name=${name//\'/\'\\\'\'} ;;
            \"*) for each in \\ \" \$ \`; do name=${name//"$each"/\\"$each"}; done ;;
            *) [[ -z $name ]] || printf -v name %q "$name" ;;
        esac
        [[ -z $name ]] || COMPREPLY+=("${name#"$before"}")
    done < <(_TALLYD_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=$line "$1" 2>/dev/null)
}

complete -o default -F _tallyd tallyd
