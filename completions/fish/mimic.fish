# SPDX-License-Identifier: GPL-2.0-only
# Completion for fish. For a new option, subcommand or setting: a line here. tests/build/completions compares them with what mimic
# itself says.

set -g __mimic_commands run show check stats trace guard stop

function __mimic_is
    __fish_seen_subcommand_from $argv
end

# Whether an interface is still to be named.
function __mimic_wants
    __mimic_is $argv; or return
    for word in (commandline -opc)
        string match -q '*/*' -- $word; or not test -e /sys/class/net/$word; or return 1
    end
end

# Without Mimic's own devices.
function __mimic_interfaces
    for path in /sys/class/net/*/ifindex
        string match -rv '^mimic\d+f?$' (string split / $path)[5]
    end
end

# Those that begin as what has been typed and have a lock file; without any, all.
function __mimic_running
    set -l netns (string replace -ra '\D' '' -- (readlink /proc/self/ns/net))
    set -l running
    for name in (string match -- (commandline -ct)'*' (__mimic_interfaces))
        set -l ifindex (cat /sys/class/net/$name/ifindex 2>/dev/null)
        test -e /run/mimic/(printf %x $netns)_$ifindex.lock; and set -a running $name
    end
    if set -q running[1]
        string join \n $running
    else
        __mimic_interfaces
    end
end

# What may begin a local= filter, up to the port.
function __mimic_local_ends
    printf 'local=%s:\n' '' 0.0.0.0 '[::]'
    ip -o address 2>/dev/null | while read -l -a word
        set -l address (string replace -r '/.*' '' -- $word[4])
        switch "$word[3] $word"
            case '* scope host *'
            case 'inet6 * scope link *'
                printf 'local=[%s%%%s]:\n' $address $word[2]
            case 'inet6 *'
                printf 'local=[%s]:\n' $address
            case 'inet *'
                printf 'local=%s:\n' $address
        end
    end
end

# What may follow the port in a filter: the key and its values.
function __mimic_keys
    echo handshake=
    echo keepalive=
    printf 'padding=%s\n' '' random 0 4 8 12 16
    printf 'max_window=%s\n' '' true false
    printf 'pace=%s\n' '' fast fixed linux
    printf 'guard=%s\n' '' reset silent
    echo ack=
    printf 'udp=%s\n' '' pass drop
end

function __mimic_filters
    set -l word (string replace -r '^(--filter=|-[a-zA-Z]*f)' '' -- (commandline -ct) | string unescape)
    if not string match -qr '^(local|remote)=(\[[^]]*\]|[^],:[]*):[0-9]+,' -- "$word"
        switch "$word"
            case 'local=*'
                __mimic_local_ends
            case 'remote=*'
            case '*'
                printf '%s=\n' local remote
        end
        return
    end
    set -l begin (string replace -r '[^,]*$' '' -- $word)
    set -l last (string replace -r '.*,' '' -- $word)
    for setting in (__mimic_keys)
        set -l parts (string split -m 1 = $setting)
        # Keys first, their values when the key is there.
        if string match -q '*=*' -- $last
            test -n "$parts[2]"; or continue
        else
            test -z "$parts[2]"; or continue
            string match -q "*,$parts[1]=*" -- $begin; and continue
        end
        echo $begin$setting
    end
end

complete -c mimic -f
complete -c mimic -n "not __mimic_is $__mimic_commands" -a run -d 'Carry UDP as TCP on an interface'
complete -c mimic -n "not __mimic_is $__mimic_commands" -a show -d 'Show what runs there, its filters and connections'
complete -c mimic -n "not __mimic_is $__mimic_commands" -a check -d 'Say what on this machine hinders Mimic, and what to do'
complete -c mimic -n "not __mimic_is $__mimic_commands" -a stats -d 'Show what its connections and filters carried'
complete -c mimic -n "not __mimic_is $__mimic_commands" -a trace -d 'Print its segments as they come and go'
complete -c mimic -n "not __mimic_is $__mimic_commands" -a guard -d 'Keep plain UDP in while Mimic does not run'
complete -c mimic -n "not __mimic_is $__mimic_commands" -a stop -d 'End what runs there, and clean up what is left'

complete -c mimic -s '?' -l help -d 'Print a list of the options'
complete -c mimic -l usage -d 'Print a short list of the options'
complete -c mimic -s V -l version -d 'Print the version'

complete -c mimic -n '__mimic_wants run check guard' -a '(__mimic_interfaces)' -d Interface
complete -c mimic -n '__mimic_wants show trace stop; or __mimic_is stats' -a '(__mimic_running)' -d Interface

complete -c mimic -n '__mimic_is run check guard' -s f -l filter -x -a '(__mimic_filters)' -d 'Which packets to carry'
complete -c mimic -n '__mimic_is run check guard' -s F -l file -rF -d 'Configuration file'
complete -c mimic -n '__mimic_is show check stats' -l json -d 'As a JSON document'

complete -c mimic -n '__mimic_is run' -s L -l link-type -x -a 'eth none' -d 'What packets on the interface begin with'
complete -c mimic -n '__mimic_is run' -s x -l xdp-mode -x -a 'skb native' -d 'How to attach to the receive path'
complete -c mimic -n '__mimic_is run' -s X -l use-libxdp -d 'Attach through libxdp, beside other XDP programs'
complete -c mimic -n '__mimic_is run' -l datapath -x -a 'auto bpf kfunc gso' -d 'Level of the datapath'
complete -c mimic -n '__mimic_is run' -l resolve-interval -x -d 'How often host names are looked up again, in seconds'
complete -c mimic -n '__mimic_is run' -s h -l handshake -x -d 'Handshake: INTERVAL:RETRIES'
complete -c mimic -n '__mimic_is run' -s k -l keepalive -x -d 'Keepalive: TIME:INTERVAL:RETRIES:STALE'
complete -c mimic -n '__mimic_is run' -s p -l padding -x -a 'random 0 4 8 12 16' -d 'Bytes added to each packet'
complete -c mimic -n '__mimic_is run' -s W -l max-window -d 'Always announce the largest TCP window'
complete -c mimic -n '__mimic_is run' -s v -l verbose -d 'More messages'
complete -c mimic -n '__mimic_is run' -s q -l quiet -d 'Fewer messages'
complete -c mimic -n '__mimic_is run' -l takeover -d 'Take the place of the instance that runs'
complete -c mimic -n '__mimic_is run' -l check -d 'Load, attach, report, detach and exit'

complete -c mimic -n '__mimic_is show' -s p -l process -d 'Only the process, its filters and counters'
complete -c mimic -n '__mimic_is show' -s c -l connections -d 'Only the connections'

complete -c mimic -n '__mimic_is stats' -s w -l watch -d 'Again and again; =SECONDS'
complete -c mimic -n '__mimic_is stats' -l prometheus -d 'For Prometheus'
complete -c mimic -n '__mimic_is stats' -l connections -d 'With --prometheus: a series for each connection, too'

complete -c mimic -n '__mimic_is trace' -s c -l count -x -d 'End after so many lines'
complete -c mimic -n '__mimic_is trace' -s p -l port -x -d 'Only connections with this port'
complete -c mimic -n '__mimic_is trace' -s P -l peer -x -d 'Only connections with this peer'

complete -c mimic -n '__mimic_is stop' -l open -d 'Let plain UDP out that udp=drop keeps in'
