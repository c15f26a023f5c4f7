//! FLAC, MP3, Ogg Vorbis, Opus, AIFF and the rarer WAV codecs, packet by packet through symphonia (0.6).
//!
//! Positions are counted here, not taken from the decoders' own trimming, because three things have to be exact for
//! a seek to give the same samples as decoding from the start: the encoder delay of MP3, the pre-skip of Opus and
//! the first, unlapped block of Vorbis.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecId, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::error::{AudioError, Result};
use super::ogg_tail::read_tail;
use super::sniff::Container;

/// An Ogg page that ends the stream cannot be placed in time on its own, so seeks stay this far from the end.
const OGG_TAIL_S: u64 = 10;

pub(super) struct PacketSource {
    path: PathBuf,
    container: Container,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    codec: AudioCodecId,
    track: u32,
    rate: u32,
    channels: u16,
    /// Time stamp of the first sample that is to be heard.
    origin: i64,
    /// Length in samples where the container is to be believed.
    frames: Option<u64>,
    /// Position of the next decoded sample; unknown after opening or seeking until a packet says it.
    position: Option<i64>,
    /// Samples before this position are decoded and dropped.
    wanted: i64,
    /// Whether reading began behind a seek, not at the start.
    sought: bool,
    interleaved: Vec<f32>,
}

impl PacketSource {
    pub fn open(path: &Path, container: Container) -> Result<PacketSource> {
        let file = File::open(path).map_err(|e| AudioError::io(path, &e))?;
        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| refuse(path, e, 0.0))?;
        let unsupported = |what: &str| AudioError::Unsupported { path: path.to_path_buf(), what: what.to_string() };
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| unsupported("holds no audio track that can be read here"))?;
        let params = track
            .codec_params
            .as_ref()
            .and_then(|p| p.audio())
            .ok_or_else(|| unsupported("its audio codec is not known"))?;
        let rate = params.sample_rate.ok_or_else(|| unsupported("its header states no sample rate"))?;
        let channels = params.channels.as_ref().map_or(0, |c| c.count()) as u16;
        let mut origin = track.start_ts.get().max(0);
        let mut params = params.clone();
        if params.codec == CODEC_ID_OPUS {
            // Without its header the decoder trims nothing: after a seek it would cut the pre-skip again.
            params.extra_data = None;
            origin += i64::from(track.delay.unwrap_or(0));
        }
        let decoder =
            codecs().make_audio_decoder(&params, &AudioDecoderOptions::default()).map_err(|e| refuse(path, e, 0.0))?;
        let frames = match container {
            Container::Mp3 { counted: false } => None,
            Container::Ogg => {
                let tail = read_tail(path)?;
                if !format.tracks().iter().any(|t| t.id == tail.serial) {
                    return Err(refuse(path, Error::ResetRequired, 0.0));
                }
                let end = track.num_frames.unwrap_or(tail.granule as u64);
                Some(end.saturating_sub(origin as u64))
            }
            _ => track.num_frames,
        };
        Ok(PacketSource {
            path: path.to_path_buf(),
            container,
            codec: params.codec,
            track: track.id,
            rate,
            channels,
            origin,
            frames,
            position: None,
            wanted: 0,
            sought: false,
            interleaved: Vec::new(),
            decoder,
            format,
        })
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn channels(&self) -> u16 {
        self.channels
    }

    /// Length in samples as the container states it; `None`: only counting can tell.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// Whether the stated length is cheap and certain. An MP3 header survives a cut, so MP3 is always counted.
    pub fn needs_counting(&self) -> bool {
        self.frames.is_none() || matches!(self.container, Container::Mp3 { .. })
    }

    /// Counts the samples by reading every packet; only a WAV without a length has to be decoded for it.
    pub fn count_frames(mut self) -> Result<u64> {
        let mut end = 0;
        if self.container == Container::Wav {
            let mut block = Vec::new();
            while self.next_block(&mut block)? {
                block.clear();
            }
            return Ok(self.position.unwrap_or(0).max(0) as u64);
        }
        while let Some(packet) = self.next_packet()? {
            end = packet.pts.get() + packet.dur.get() as i64 - self.origin;
        }
        let end = end.max(0) as u64;
        match self.frames {
            Some(promised) if end < promised => Err(self.truncated(promised, end)),
            Some(promised) => Ok(promised),
            None => Ok(end),
        }
    }

    /// The next block starts at sample `frame`.
    pub fn seek(&mut self, frame: u64) -> Result<()> {
        self.wanted = frame as i64;
        let mut target = frame.saturating_sub(self.pre_roll());
        if let (Container::Ogg, Some(frames)) = (self.container, self.frames) {
            target = target.min(frames.saturating_sub(OGG_TAIL_S * u64::from(self.rate)));
        }
        // Close to the start, or with pictures interleaved, decoding from the start is the simple way.
        if target == 0 || self.format.tracks().len() > 1 {
            return Ok(());
        }
        let to = SeekTo::Timestamp { ts: Timestamp::new(target as i64 + self.origin), track_id: self.track };
        match self.format.seek(SeekMode::Accurate, to) {
            Ok(at) if at.actual_ts.get() - self.origin <= self.wanted => {
                self.sought = true;
                self.decoder.reset();
                Ok(())
            }
            // A seek that fails or lands too late is no error: read from the start.
            _ => self.restart(),
        }
    }

    /// Reads from the start of the file instead of from where a seek led.
    fn restart(&mut self) -> Result<()> {
        let wanted = self.wanted;
        *self = PacketSource::open(&self.path, self.container)?;
        self.wanted = wanted;
        Ok(())
    }

    /// Samples decoded before the wanted one so that the codec's memory is what it would have been: the bit
    /// reservoir of MP3, the lapped block of Vorbis, the predictors of Opus (which only converge).
    fn pre_roll(&self) -> u64 {
        match self.codec {
            CODEC_ID_MP3 => 12 * 1152,
            CODEC_ID_VORBIS => 2 * 8192,
            CODEC_ID_OPUS => 48_000,
            _ => 0,
        }
    }

    /// Appends the next mono samples to `out`; `false` at the end.
    pub fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool> {
        let Some(mut packet) = self.next_packet()? else {
            return self.finish();
        };
        packet.trim_start = Duration::ZERO;
        packet.trim_end = Duration::ZERO;
        let begin = self.position.unwrap_or(packet.pts.get() - self.origin);
        let at_s = begin.max(0) as f64 / f64::from(self.rate);
        let decoded = match self.decoder.decode(&packet) {
            Ok(buffer) => buffer,
            // While the decoder still warms up behind a seek, a packet may refer to data it has not seen.
            Err(Error::DecodeError(_)) if self.position.is_none() && self.wanted > 0 => {
                return Ok(true);
            }
            Err(e) => return Err(refuse(&self.path, e, at_s)),
        };
        let frames = decoded.frames();
        if frames == 0 {
            return Ok(true);
        }
        let channels = decoded.num_planes().max(1);
        if decoded.spec().rate() != self.rate {
            return Err(AudioError::Unsupported {
                path: self.path.clone(),
                what: format!("changes its sample rate at {at_s:.2} s"),
            });
        }
        self.channels = self.channels.max(channels as u16);
        decoded.copy_to_vec_interleaved(&mut self.interleaved);
        let end = begin + frames as i64;
        self.position = Some(end);

        let stop = self.frames.map_or(end, |n| end.min(n as i64));
        let from = (self.wanted.max(0) - begin).clamp(0, frames as i64) as usize;
        let to = (stop - begin).clamp(from as i64, frames as i64) as usize;
        let kept = &self.interleaved[from * channels..to * channels];
        out.extend(kept.chunks_exact(channels).map(|f| f.iter().sum::<f32>() / channels as f32));
        Ok(true)
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        loop {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => (),
                Ok(None) => return Ok(None),
                // FLAC and AIFF end so where the file is cut; the caller compares with the promised length.
                Err(Error::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                Err(e) => {
                    let at_s = self.position.unwrap_or(0) as f64 / f64::from(self.rate);
                    return Err(refuse(&self.path, e, at_s));
                }
            }
        }
    }

    /// End of the packets: all that was promised must have come.
    fn finish(&mut self) -> Result<bool> {
        // Some demuxers seek behind the last block of ADPCM.
        if self.sought && self.position.is_none() {
            self.restart()?;
            return Ok(true);
        }
        let found = self.position.unwrap_or(0).max(0) as u64;
        match self.frames {
            Some(promised) if found < promised => Err(self.truncated(promised, found)),
            _ => Ok(false),
        }
    }

    fn truncated(&self, promised: u64, found: u64) -> AudioError {
        AudioError::Truncated {
            path: self.path.clone(),
            promised_s: promised as f64 / f64::from(self.rate),
            found_s: found as f64 / f64::from(self.rate),
        }
    }
}

/// symphonia's decoders and, for Opus, which it has none of, libopus.
fn codecs() -> &'static CodecRegistry {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    CODECS.get_or_init(|| {
        let mut registry = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut registry);
        registry.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        registry
    })
}

/// One of our errors for one of symphonia's.
fn refuse(path: &Path, err: Error, at_s: f64) -> AudioError {
    let path = path.to_path_buf();
    match err {
        Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => AudioError::NoEndMarker { path },
        Error::IoError(e) => AudioError::Io { path, detail: e.to_string() },
        Error::Unsupported(what) => {
            AudioError::Unsupported { path, what: format!("uses something that cannot be read here ({what})") }
        }
        Error::ResetRequired => {
            AudioError::Unsupported { path, what: "holds several streams one after the other".to_string() }
        }
        e => AudioError::Corrupt { path, at_s, detail: e.to_string() },
    }
}
