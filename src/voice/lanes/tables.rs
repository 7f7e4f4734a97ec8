//! The numbers of the WebRTC detector: start values, limits and thresholds. Bands are numbered from the lowest (80 to
//! 250 Hz) to the highest (3 to 4 kHz); each has two Gaussians for noise and two for speech.

/// Frequency bands.
pub const BANDS: usize = 6;
/// Gaussians of one model of one band.
pub const GAUSSIANS: usize = 2;
/// The smallest features of the last hundred frames that are remembered for a band.
pub const SLOTS: usize = 16;

/// Weight of a band in the decision over all bands.
pub const BAND_WEIGHTS: [i32; BANDS] = [6, 8, 10, 12, 14, 16];
/// Added to a band's logarithmic energy, Q4: half the rate is half the energy.
pub const ENERGY_OFFSETS: [i32; BANDS] = [368, 368, 272, 176, 176, 176];

/// Weights of the Gaussians, Q7: each pair makes 128.
pub const NOISE_WEIGHTS: [[i32; BANDS]; GAUSSIANS] = [[34, 62, 72, 66, 53, 25], [94, 66, 56, 62, 75, 103]];
/// See [`NOISE_WEIGHTS`].
pub const SPEECH_WEIGHTS: [[i32; BANDS]; GAUSSIANS] = [[48, 82, 45, 87, 50, 47], [80, 46, 83, 41, 78, 81]];

/// Means that a lane begins with, Q7.
pub const NOISE_MEANS: [[i16; BANDS]; GAUSSIANS] =
    [[6738, 4892, 7065, 6715, 6771, 3369], [7646, 3863, 7820, 7266, 5020, 4362]];
/// See [`NOISE_MEANS`].
pub const SPEECH_MEANS: [[i16; BANDS]; GAUSSIANS] =
    [[8306, 10085, 10078, 11823, 11843, 6309], [9473, 9571, 10879, 7581, 8180, 7483]];
/// Standard deviations that a lane begins with, Q7.
pub const NOISE_DEVIATIONS: [[i16; BANDS]; GAUSSIANS] =
    [[378, 1064, 493, 582, 688, 593], [474, 697, 475, 688, 421, 455]];
/// See [`NOISE_DEVIATIONS`].
pub const SPEECH_DEVIATIONS: [[i16; BANDS]; GAUSSIANS] =
    [[555, 505, 567, 524, 585, 1231], [509, 828, 492, 1540, 1079, 850]];

/// The speech model stands at least so far above the noise model, Q5.
pub const DISTANCE_MIN: [i32; BANDS] = [544, 544, 576, 576, 576, 576];
/// Upper limit of the speech model's mean, Q7.
pub const SPEECH_MEAN_MAX: [i32; BANDS] = [11392, 11392, 11520, 11520, 11520, 11520];
/// Upper limit of a speech Gaussian's mean, Q7: five above the limit of the band below it.
pub const SPEECH_GAUSSIAN_MAX: [i32; BANDS] = [13440, 12032, 12032, 12160, 12160, 12160];
/// Lower limit of a speech Gaussian's mean, Q7.
pub const SPEECH_GAUSSIAN_MIN: [i32; GAUSSIANS] = [640, 768];
/// Upper limit of a noise Gaussian's mean, Q7.
pub const NOISE_GAUSSIAN_MAX: [[i32; BANDS]; GAUSSIANS] =
    [[9216, 9088, 8960, 8832, 8704, 8576], [9344, 9216, 9088, 8960, 8832, 8704]];
/// Upper limit of the noise model's mean, Q7.
pub const NOISE_MEAN_MAX: [i32; BANDS] = [9216, 9088, 8960, 8832, 8704, 8576];
/// Least standard deviation, Q7.
pub const DEVIATION_MIN: i32 = 384;

/// A frame whose power is not above this is not judged: it is silence.
pub const POWER_MIN: i32 = 10;
/// Frames of speech in a row after which the longer hangover holds.
pub const RUN_MAX: i32 = 6;

/// What a mode asks of frames of one length.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Frames of hangover after a short run of speech.
    pub hangover_short: i32,
    /// Frames of hangover after a run of more than [`RUN_MAX`].
    pub hangover_long: i32,
    /// Likelihood ratio at which one band suffices.
    pub local: i32,
    /// Likelihood ratio at which the bands together suffice.
    pub global: i32,
}

impl Thresholds {
    /// For `mode` 0 to 3 and frames of 10, 20 or 30 ms.
    pub fn new(mode: u8, frame_ms: u32) -> Thresholds {
        const TABLE: [[[i32; 4]; 3]; 4] = [
            [[8, 14, 24, 57], [4, 7, 21, 48], [3, 5, 24, 57]],
            [[8, 14, 37, 100], [4, 7, 32, 80], [3, 5, 37, 100]],
            [[6, 9, 82, 285], [3, 5, 78, 260], [2, 3, 82, 285]],
            [[6, 9, 94, 1100], [3, 5, 94, 1050], [2, 3, 94, 1100]],
        ];
        let [hangover_short, hangover_long, local, global] = TABLE[mode as usize][frame_ms as usize / 10 - 1];
        Thresholds { hangover_short, hangover_long, local, global }
    }
}
