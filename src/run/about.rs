//! What manifests of any call say of the settings.

use crate::config::Settings;
use crate::consent::OnWithdrawal;
use crate::store::manifest::{Policy, Scope, Voice, Withdrawal};
use crate::voice::Detector;

/// How speech is detected.
pub fn voice(settings: &Settings) -> Voice {
    Voice {
        detector: match settings.detector.value {
            Detector::Lanes => "webrtc-vad 0.4 (lanes)".into(),
            Detector::Webrtc => "webrtc-vad 0.4".into(),
        },
        mode: settings.vad_mode.value.number(),
        lead_in_ms: settings.lead_in_ms.value,
        tail_ms: settings.tail_ms.value,
    }
}

/// Under which terms the customer can be kept. `sensitive`: consent alone counts (CON-12).
pub fn policy(settings: &Settings, scope: Scope, sensitive: bool) -> Policy {
    let on_withdrawal = match settings.on_withdrawal.value {
        OnWithdrawal::Erase => Withdrawal::Erase,
        OnWithdrawal::Keep => Withdrawal::Keep,
    };
    Policy { scope, on_withdrawal, purposes: settings.purposes.value.clone(), sensitive }
}
