#!/usr/bin/env bash
# Makes the sample calls: two-party sales calls spoken by text-to-speech voices, with the events that go with them.
#
#   samples/make.sh [OUT]        default OUT: the directory of this script
#
# Needs espeak-ng, flite and sox (Debian: apt-get install espeak-ng flite sox). Every random number is fixed (sox -R), so
# the same versions of the programs give the same files. Other versions pronounce differently: the committed files, not
# this script, are the truth that tests rely on.
set -euo pipefail
export LC_ALL=C

out=$(realpath -m "${1:-$(dirname "$0")}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ── levels, as on a telephone line ───────────────────────────────────────────────────────────────────────────────────
readonly SPEECH_DB=-26        # active level of a spoken line (ITU-T P.56 nominal)
readonly AGENT_NOISE_DB=-69   # noise floor of the agent's headset
readonly CUSTOMER_NOISE_DB=-66
readonly BLEED_DB=-20         # customer's voice in the agent's microphone, where a call has it
readonly BLEED_DELAY_S=0.009

# ── voices: PROGRAM:VOICE:SPEED:PITCH ────────────────────────────────────────────────────────────────────────────────
readonly ANNA=espeak-ng:sv+f2:185:52
readonly LARS=espeak-ng:sv+m3:150:34
readonly METTE=espeak-ng:da+f4:165:50
readonly JENS=espeak-ng:da+m7:150:30
readonly SARAH=flite:slt
readonly BOB=flite:rms
readonly CLAIRE=espeak-ng:en-us+f3:165:58
readonly ANGUS=flite:awb

main() {
    mkdir -p "$out/calls" "$out/pair" "$out/expected"
    rm -f "$out"/calls/* "$out"/pair/* "$out"/expected/*
    echo 'call_id,time_s,type,how,digit,purpose,announcement,version' >"$out/crm.csv"
    echo 'call,input,length_s,agent_spoken_s,customer_spoken_s,customer_kept' >"$out/expected/calls.csv"
    make_noise
    call_withdrawn
    call_granted
    call_refused
    call_no_events
    call_card_number
    call_third_party
}

# ── the calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

# Swedish. A key press grants, later it is taken back: what was kept under the grant is not even written.
call_withdrawn() {
    begin withdrawn 8000
    say agent $ANNA 'Hej, Anna från Norrljus. Samtalet spelas in för utbildning. Tryck ett om även din röst får sparas.'
    event told notice=std version=3 language=sv
    pause 700
    tone customer 1
    event granted act=dtmf digit=1 purpose=training
    pause 500
    say agent $ANNA 'Tack! Vill du höra om vårt elavtal?'
    pause 450
    say customer $LARS 'Ja, gärna. Vad kostar det?'
    pause 400
    say agent $ANNA 'Sjuttionio öre, fast pris i två år.'
    pause 600
    say customer $LARS 'Nej, spara inte min röst. Jag har ångrat mig.'
    event withdrawn
    pause 400
    say agent $ANNA 'Självklart, då sparas bara min sida.'
    pause 500
    event hung_up
    kept none
    write_stereo calls/withdrawn.wav -b 16
    write_crm
}

# Danish. Granted and kept to the end; both talk at once for a moment.
call_granted() {
    begin granted 8000
    say agent $METTE 'Goddag, det er Mette fra Fjordens Forsikring. Samtalen optages til uddannelse. Tast et, hvis vi må gemme din stemme.'
    event told notice=std version=5 language=da
    pause 600
    tone customer 1
    event granted act=dtmf digit=1 purpose=training
    kept from
    pause 500
    say agent $METTE 'Mange tak. Har du en indboforsikring i dag?'
    pause 500
    say customer $JENS 'Ja, men den er blevet alt for dyr, synes jeg.'
    back 900
    say agent $METTE 'Det hører vi tit. Skal jeg regne på en bedre pris?'
    back 500
    say customer $JENS 'Ja tak, det må du gerne.'
    pause 500
    event hung_up
    kept until
    write_stereo calls/granted.wav -b 16
    write_crm
}

# English, stored as µ-law. The customer says no: nothing of her is kept.
call_refused() {
    begin refused 8000
    say agent $BOB 'This is Bob from Harbour Telecom. The call is recorded for training. May we keep your side too?'
    event told notice=std version=2 language=en
    pause 800
    say customer $CLAIRE 'No, I would rather not.'
    event refused
    pause 350
    say agent $BOB 'That is fine. Only my side is kept. Is your broadband fast enough?'
    pause 600
    say customer $CLAIRE 'Not in the evenings, to be honest.'
    pause 400
    say agent $BOB 'Then let me send you an offer by mail.'
    pause 500
    say customer $CLAIRE 'Please do. Goodbye.'
    pause 500
    event hung_up
    kept none
    write_stereo calls/refused.wav -e mu-law
    write_crm
}

# English. Nobody said anything about recording, and the customer leaks into the agent's microphone.
call_no_events() {
    begin no-events 8000
    say agent $SARAH 'Hello, this is Sarah calling from Green Hill Windows.'
    pause 500
    say customer $ANGUS 'Hello. I am in the middle of dinner.'
    pause 350
    say agent $SARAH 'I am sorry. May I call again tomorrow at ten?'
    pause 700
    say customer $ANGUS 'Tomorrow at ten is fine. Ask for Angus.'
    back 400
    say agent $SARAH 'Wonderful. Thank you, and enjoy your dinner.'
    pause 600
    bleed
    kept none
    write_stereo calls/no-events.wav -b 16
    rm "$out/calls/no-events.events.jsonl"
}

# English, 16 kHz FLAC, with bleed. Recording of both sides pauses while a card number is read aloud.
call_card_number() {
    begin card-number 16000
    say agent $SARAH 'This call is recorded for training. May we keep your voice too?'
    event told notice=std version=2 language=en
    pause 500
    say customer $BOB 'Yes, you may.'
    event granted act=spoken_yes agent=a17 question=2 purpose=training
    kept from
    pause 350
    say agent $SARAH 'Thank you. What is your card number?'
    event paused
    kept until
    pause 400
    say customer $BOB 'Four one one one, one one one one.'
    pause 200
    say agent $SARAH 'Four ones, and four ones. Got it.'
    pause 300
    event resumed
    kept from
    pause 300
    say agent $SARAH 'Your order is on its way.'
    pause 350
    say customer $BOB 'Lovely, thank you.'
    pause 500
    event hung_up
    kept until
    bleed
    write_stereo calls/card-number.flac -b 16
}

# English, two mono A-law files. A second person comes to the customer's phone: the door shuts until she, too, has said yes.
call_third_party() {
    begin third-party 8000
    say agent $SARAH 'This call is recorded for training. May we keep your voice?'
    event told notice=std version=2 language=en
    pause 500
    say customer $BOB 'Yes, that is all right.'
    event granted act=spoken_yes agent=a17 question=2 purpose=training
    kept from
    pause 350
    say customer $BOB 'My wife should hear this.'
    pause 200
    event joined party=wife
    kept until
    say customer $CLAIRE 'Hello, who is this?'
    pause 350
    say agent $SARAH 'Hello! The call is recorded. Is that all right with you too?'
    event told notice=std version=2 language=en party=wife
    pause 450
    say customer $CLAIRE 'Yes, of course.'
    event granted act=spoken_yes agent=a17 question=2 purpose=training party=wife
    kept from
    back 250
    say agent $SARAH 'Great. The visit is on Monday.'
    pause 300
    say customer $CLAIRE 'Monday is perfect.'
    pause 500
    event hung_up
    kept until
    write_pair pair/third-party -e a-law
}

# ── a call in the making ─────────────────────────────────────────────────────────────────────────────────────────────

# begin NAME RATE: a new call; the clock stands half a second after its first sample
begin() {
    name=$1 rate=$2 clock_ms=500 end_ms=0 number=0 bleeds=no spans='' open_ms=''
    agent_ms=0 customer_ms=0 agent=() customer=() rows=()
    events=$out/calls/$name.events.jsonl
    labels=$out/expected/$name.labels.csv
    : >"$events"
    echo 'start_s,end_s,who' >"$labels"
    echo "$name" >&2
}

# say SIDE VOICE TEXT: a line of speech at the clock; the clock moves to its end
say() {
    local file=$work/$name.$((++number)).wav
    speak "$2" "$3" "$work/spoken.wav"
    like_a_line "$1" "$work/spoken.wav" "$file"
    place "$1" "$file"
}

# tone SIDE DIGIT: a key press of 200 ms
tone() {
    local file=$work/$name.$((++number)).wav low high
    case $2 in 1) low=697 high=1209 ;; 9) low=852 high=1477 ;; *) echo "no tone for $2" >&2 && exit 1 ;; esac
    sox -R -n -r "$rate" -c 1 -e float -b 32 "$file" synth 0.2 sine $low sine $high remix - fade 0.005 0.2 0.005 gain -n -16
    place "$1" "$file"
}

# place SIDE FILE: puts sound at the clock and labels it
place() {
    local ms
    ms=$(milliseconds "$2")
    sox -R "$2" "$2.placed.wav" pad "$(seconds $clock_ms)"
    if [ "$1" = agent ]; then agent+=("$2.placed.wav") agent_ms=$((agent_ms + ms)); fi
    if [ "$1" = customer ]; then customer+=("$2.placed.wav") customer_ms=$((customer_ms + ms)); fi
    echo "$(seconds $clock_ms),$(seconds $((clock_ms + ms))),$1" >>"$labels"
    clock_ms=$((clock_ms + ms))
    if ((clock_ms > end_ms)); then end_ms=$clock_ms; fi
}

# pause MS: nobody speaks; counted from the end of whoever spoke last
pause() { clock_ms=$((end_ms + $1)); }

# back MS: the next line begins before the last one has ended
back() { clock_ms=$((clock_ms - $1)); }

# bleed: the customer's voice is heard in the agent's microphone
bleed() { bleeds=yes; }

# event KIND KEY=VALUE...: something said about recording, at the clock
event() {
    local kind=$1 field how='' digit='' purpose='' notice='' version='' json
    shift
    json="{\"call\":\"$name\",\"at\":$(seconds $clock_ms),\"event\":\"$kind\""
    for field in "$@"; do
        local key=${field%%=*} value=${field#*=}
        case $key in
            act) how=$value ;; digit) digit=$value ;; purpose) purpose=$value ;;
            notice) notice=$value ;; version) version=$value ;;
        esac
        if [ "$key" = version ]; then json+=",\"$key\":$value"; else json+=",\"$key\":\"$value\""; fi
    done
    echo "$json}" >>"$events"
    rows+=("$name,$(seconds $clock_ms),$kind,$how,$digit,$purpose,$notice,$version")
}

# kept none|from|until: what the customer's track is expected to hold
kept() {
    case $1 in
        none) spans=none ;;
        from) open_ms=$clock_ms ;;
        until) spans+="${spans:+;}$(seconds "$open_ms")-$(seconds $clock_ms)" ;;
    esac
}

# ── from voices to files ─────────────────────────────────────────────────────────────────────────────────────────────

# speak VOICE TEXT FILE
speak() {
    local program voice speed pitch
    IFS=: read -r program voice speed pitch <<<"$1"
    case $program in
        espeak-ng) espeak-ng -v "$voice" -s "$speed" -p "$pitch" -w "$3" "$2" ;;
        flite) flite -voice "$voice" -t "$2" -o "$3" ;;
    esac
}

# like_a_line SIDE IN OUT: trims silence at both ends, adds a little room and the line's band, sets the level
like_a_line() {
    local trim=(silence 1 0.01 -50d reverse silence 1 0.01 -50d reverse)
    if [ "$1" = agent ]; then # a headset close to the mouth
        sox -R "$2" -r "$rate" -c 1 -e float -b 32 "$work/line.wav" \
            gain -13 "${trim[@]}" pad 0 0.03 reverb 8 60 12 highpass 180 equalizer 2600 1.5q 3
    else # a mobile phone, through its codec
        sox -R "$2" -r 8000 -c 1 "$work/line.gsm" gain -13 "${trim[@]}" pad 0 0.05 reverb 18 50 25 highpass 280 lowpass 3300
        sox -R "$work/line.gsm" -r "$rate" -c 1 -e float -b 32 "$work/line.wav"
    fi
    sox -R "$work/line.wav" "$3" gain "$(echo "$SPEECH_DB - $(rms_db "$work/line.wav")" | bc -l)"
}

# A long stretch of noise; every track takes another part of it, so that no two tracks share theirs.
make_noise() {
    sox -R -n -r 16000 -c 1 -e float -b 32 "$work/raw.wav" synth 600 pinknoise gain -10 highpass 80
    sox -R "$work/raw.wav" "$work/noise.wav" gain "$(echo "-40 - $(rms_db "$work/raw.wav")" | bc -l)"
    noise_at=0
}

# track SIDE OUT: the lines of a side over its noise floor
track() {
    local level=$AGENT_NOISE_DB line voices=()
    [ "$1" = agent ] || level=$CUSTOMER_NOISE_DB
    sox -R "$work/noise.wav" -r "$rate" "$work/floor.wav" trim $noise_at "$(seconds $clock_ms)" gain $((level + 40))
    noise_at=$((noise_at + 45))
    local -n lines=$1
    for line in "${lines[@]}"; do voices+=(-v 1 "$line"); done
    sox -R -m -v 1 "$work/floor.wav" "${voices[@]}" "$2" trim 0 "$(seconds $clock_ms)"
}

# tracks: both sides of the call, the customer's leaking into the agent's where the call says so
tracks() {
    track agent "$work/agent.wav"
    track customer "$work/customer.wav"
    if [ "$bleeds" = yes ]; then
        sox -R "$work/customer.wav" "$work/leak.wav" highpass 350 lowpass 2800 \
            pad $BLEED_DELAY_S gain $BLEED_DB trim 0 "$(seconds $clock_ms)"
        mv "$work/agent.wav" "$work/clean.wav"
        sox -R -m -v 1 "$work/clean.wav" -v 1 "$work/leak.wav" "$work/agent.wav"
    fi
}

# write_stereo FILE ENCODING...: left is the agent
write_stereo() {
    local file=$1
    shift
    tracks
    sox -R -M "$work/agent.wav" "$work/customer.wav" "$@" "$out/$file"
    expect "$file"
}

# write_pair STEM ENCODING...: a mono file for each side
write_pair() {
    local stem=$1
    shift
    tracks
    sox -R "$work/agent.wav" "$@" "$out/$stem-agent.wav"
    sox -R "$work/customer.wav" "$@" "$out/$stem-customer.wav"
    mv "$events" "$out/$stem.events.jsonl"
    expect "$stem-*.wav"
}

expect() {
    echo "$name,$1,$(seconds $clock_ms),$(seconds $agent_ms),$(seconds $customer_ms),$spans" >>"$out/expected/calls.csv"
}

write_crm() { printf '%s\n' "${rows[@]}" >>"$out/crm.csv"; }

rms_db() { sox "$1" -n stats 2>&1 | awk '/^RMS lev dB/ { print $4 }'; }
milliseconds() { echo $(($(soxi -s "$1") * 1000 / rate)); }
seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }

main
