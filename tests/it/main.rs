//! Black-box tests of the library and the command, one file a subject.

mod archive;
#[cfg(all(unix, feature = "serve"))]
mod audiosocket_client;
mod canary;
#[cfg(all(feature = "capture", target_os = "linux"))]
mod capture;
mod common;
mod compile_fail;
mod crashes;
mod desk;
mod door_live;
mod door_oracle;
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
mod serve_common;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_crowd;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_disk;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_end;
#[cfg(all(unix, feature = "serve"))]
mod serve_faults_panic;
#[cfg(all(unix, feature = "serve"))]
mod serve_rtp;
#[cfg(all(unix, feature = "serve"))]
mod serve_rtpengine;
#[cfg(all(unix, feature = "serve"))]
mod serve_siprec;
#[cfg(all(unix, feature = "serve"))]
mod serve_streamdouble;
#[cfg(feature = "serve")]
mod serve_websocket;
#[cfg(all(unix, feature = "serve"))]
mod serve_websocket_calls;
#[cfg(all(unix, feature = "serve"))]
mod sip_switch;
#[cfg(all(unix, feature = "serve"))]
mod siprec_client;
#[cfg(all(unix, feature = "http"))]
mod switch;
mod tones;
#[cfg(feature = "serve")]
mod ws_client;
