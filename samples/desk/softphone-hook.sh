#!/bin/sh
# What a softphone runs when something happens to a call: most have such a setting (MicroSIP: cmdCallAnswer, cmdCallEnd;
# Linphone, baresip and the CTI clients: an event script). Calls begin and end by the softphone's word, not by their sound:
# run `oneside record` without --auto.
#
#   softphone-hook.sh answered NUMBER | ended | hold | unhold | private | private-ended
#
# A number goes to the recorder to be compared with the never-record list, and is stored nowhere.
set -eu

ctl() { oneside ctl --at "${ONESIDE_AT:-http://127.0.0.1:8741}" "$@"; }

case ${1:-} in
    # 4: a rule says no (never-record list, no acknowledgement). The call goes on, unrecorded, and that is no error.
    answered) ctl open --agent "${AGENT:?}" --number "${2:-}" || [ $? = 4 ] ;;
    ended)
        ctl hung-up || true # the customer's side ends here, whatever is still said into the microphone
        ctl close
        ;;
    hold) ctl hold ;;
    unhold) ctl retrieve ;;
    private) ctl private ;;
    private-ended) ctl private --end ;;
    *)
        echo "softphone-hook: see its first lines" >&2
        exit 2
        ;;
esac
