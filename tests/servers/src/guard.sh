# Runs one server and obeys orders on its standard input. When that closes, however its owner ended, the server and its
# folder go. Arguments: the folder, the signal that stops the server, the signal that ends it, the command.
folder=$1 stop=$2 end=$3
shift 3
server=
exec 2>/dev/null
# An owner that was killed reads no answers, and where something of ours stands still just then, the system hangs up on
# all of us. Neither must end us before the server has ended.
trap : PIPE
trap '' HUP

# Sets what is known of process $1; nothing if it is gone.
look() {
    state= parent= began=
    read -r line <"/proc/$1/stat" || return
    set -- ${line##*) }
    state=$1 parent=$2 began=${20}
}

runs() {
    look "$1"
    case $state in
        '' | Z | X) return 1 ;;
    esac
}

# Whether a child still runs. Children are kept as <id>.<begin>: an id alone may be another process by now.
lives() {
    runs "${1%.*}" && [ "$began" = "${1#*.}" ]
}

# Makes the server stand still, so that it has no more children, and lists those that it has. Where the system hangs up on
# us it lets the server go on: then all is done again.
hold() {
    while :; do
        while runs "$server" && [ "$state" != T ]; do
            kill -s STOP "$server"
            sleep 0.01
        done
        children=
        for entry in /proc/[0-9]*; do
            look "${entry#/proc/}"
            if [ "$parent" = "$server" ]; then children="$children ${entry#/proc/}.$began"; fi
        done
        if ! runs "$server" || [ "$state" = T ]; then return; fi
    done
}

# Sends signal $1 to the server and to all of its children, which it remembers.
signal() {
    children=
    [ -n "$server" ] || return
    hold
    for child in $children; do kill -s "$1" "${child%.*}"; done
    kill -s "$1" "$server"
}

# Buries the server and ends children that it left. They hold what the next start needs, such as shared memory.
bury() {
    wait "$server"
    server=
    for child in $children; do
        while lives "$child"; do
            kill -s KILL "${child%.*}"
            sleep 0.01
        done
    done
}

# Sends signal $1 to the server, gives it some $2 hundredths of a second to end by itself, and kills what is left.
ask_to_end() {
    [ -n "$server" ] || return
    if [ "$1" != KILL ]; then
        signal CONT
        kill -s "$1" "$server"
        left=$2
        while runs "$server" && [ "$left" -gt 0 ]; do
            sleep 0.01
            left=$((left - 1))
        done
    fi
    if runs "$server"; then signal KILL; fi
    bury
}

while read -r order; do
    case $order in
        start)
            "$@" >>"$folder/log" 2>&1 </dev/null &
            server=$!
            ;;
        freeze) signal STOP ;;
        thaw) signal CONT ;;
        kill)
            signal KILL
            if [ -n "$server" ]; then bury; fi
            ;;
        stop) ask_to_end "$stop" 3000 ;;
        look) ;;
    esac
    if [ -n "$server" ] && runs "$server"; then echo "$server"; else echo ended; fi
done
ask_to_end "$end" 500
rm -rf "$folder"
