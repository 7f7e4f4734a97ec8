//! Black-box tests of the library and the command, one file a subject.

mod archive;
#[cfg(feature = "serve")]
mod audiohook_client;
#[cfg(all(unix, feature = "serve"))]
mod audiosocket_client;
#[cfg(all(unix, any(feature = "serve", all(feature = "pipe", feature = "http"))))]
mod broken_intake;
mod canary;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod capture;
mod common;
mod compile_fail;
mod crashes;
mod desk;
mod desk_inputs;
mod door_live;
mod door_live_call;
mod door_oracle;
mod door_paper;
mod door_rules;
mod door_switch;
mod door_tones;
mod encode;
mod evaluate;
#[cfg(feature = "http")]
mod fake_call;
#[cfg(feature = "serve")]
mod fake_exchange;
mod faults;
mod hardening;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod http_common;
#[cfg(feature = "http")]
mod http_ctl;
#[cfg(feature = "http")]
mod http_limits;
mod hunt;
mod in_hand;
mod lanes;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod live_common;
mod manual;
mod memory;
#[cfg(all(unix, feature = "serve"))]
mod ng_witness;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod page;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod pipe;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod pipe_canary;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod pipe_consent;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod pipe_kill;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod pipe_relay;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod pipe_soak;
#[cfg(all(unix, feature = "capture", feature = "http", feature = "pipe"))]
mod record;
#[cfg(all(unix, feature = "pipe", feature = "http"))]
mod replay;
mod resume;
#[cfg(all(unix, feature = "serve"))]
mod rtp_party;
#[cfg(all(unix, feature = "serve"))]
mod serve;
#[cfg(feature = "serve")]
mod serve_audiohook;
#[cfg(all(unix, feature = "serve"))]
mod serve_audiosocket;
#[cfg(all(unix, feature = "serve"))]
mod serve_clients;
#[cfg(all(unix, feature = "serve"))]
mod serve_common;
#[cfg(all(unix, feature = "serve"))]
mod serve_date;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_begin;
mod serve_faults_crowd;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_disk;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_end;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_panic;
#[cfg(feature = "serve")]
mod serve_media_stream;
#[cfg(all(unix, feature = "serve"))]
mod serve_reload;
#[cfg(all(unix, feature = "serve"))]
mod serve_rtp;
#[cfg(all(unix, feature = "serve"))]
mod serve_rtpengine;
#[cfg(all(unix, feature = "serve"))]
mod serve_siprec;
#[cfg(all(unix, feature = "serve"))]
mod serve_streamdouble;
#[cfg(all(unix, feature = "serve"))]
mod serve_tls;
#[cfg(all(unix, feature = "serve"))]
mod serve_transcoding;
#[cfg(feature = "serve")]
mod serve_websocket;
#[cfg(all(unix, feature = "serve"))]
mod serve_websocket_calls;
#[cfg(feature = "serve")]
mod serve_websocket_faults;
#[cfg(all(unix, feature = "serve"))]
mod sip_switch;
#[cfg(all(unix, feature = "serve"))]
mod siprec_client;
mod skipped;
#[cfg(all(unix, feature = "http"))]
mod switch;
#[cfg(all(unix, feature = "serve"))]
mod switch_audiosocket;
#[cfg(all(unix, feature = "serve"))]
mod tls_client;
mod tones;
#[cfg(feature = "serve")]
mod ws_client;
#[cfg(feature = "serve")]
mod ws_source;
