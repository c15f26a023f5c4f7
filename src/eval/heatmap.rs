//! A log-mel spectrogram as a PNG picture.

/// The palette entry of values that are not finite; the others run from dark to light.
const NOT_FINITE: u8 = 255;

/// Draws `values`, row-major `[frames, bands]`, with time from left to right and low bands at the bottom.
///
/// Each value is a square of `scale` x `scale` pixels in the colours of matplotlib's magma, which grow lighter evenly.
/// The range is that of all but the lowest and highest half percent, so that a click does not darken the rest; values
/// that are not finite are grey. No axes: the picture is as wide as the sound is long. Returns the bytes of a PNG file.
///
/// # Panics
/// If `values` is not `frames * bands` long, or a side of the picture is 0 pixels or more than 2^31 - 1.
#[track_caller]
pub fn heatmap_png(values: &[f32], frames: usize, bands: usize, scale: usize) -> Vec<u8> {
    assert!(
        frames * bands * scale > 0 && values.len() == frames * bands,
        "{} values are no picture of {frames} x {bands} at scale {scale}",
        values.len()
    );
    let (low, high) = range(values);
    let shade = |value: f32| {
        if !value.is_finite() {
            return NOT_FINITE;
        }
        let share = (value - low) / (high - low).max(f32::MIN_POSITIVE);
        (share.clamp(0.0, 1.0) * f32::from(NOT_FINITE - 1)).round() as u8
    };
    let mut pixels = Vec::with_capacity(values.len() * scale * scale);
    for band in (0..bands).rev() {
        let line: Vec<u8> =
            (0..frames).flat_map(|frame| std::iter::repeat_n(shade(values[frame * bands + band]), scale)).collect();
        (0..scale).for_each(|_| pixels.extend(&line));
    }
    encode(&pixels, frames * scale, bands * scale)
}

/// (low, high) without the outermost half percent on either side; (0, 0) if nothing is finite.
fn range(values: &[f32]) -> (f32, f32) {
    let mut finite: Vec<f32> = values.iter().copied().filter(|x| x.is_finite()).collect();
    if finite.is_empty() {
        return (0.0, 0.0);
    }
    finite.sort_unstable_by(f32::total_cmp);
    let outside = finite.len() / 200;
    (finite[outside], finite[finite.len() - 1 - outside])
}

#[track_caller]
fn encode(pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let side = |pixels: usize| i32::try_from(pixels).expect("a PNG has at most 2^31 - 1 pixels a side") as u32;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width), side(height));
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette());
    // Writing to memory fails only for a header or a length that contradict each other, and these do not.
    encoder
        .write_header()
        .and_then(|mut image| image.write_image_data(pixels))
        .expect("the header above fits the pixels");
    bytes
}

/// 255 colours of magma, then the grey of what is not finite.
fn palette() -> Vec<u8> {
    let colours = (0..NOT_FINITE).flat_map(|i| magma(f64::from(i) / f64::from(NOT_FINITE - 1)));
    colours.chain([128; 3]).collect()
}

/// Magma at `t` in 0 to 1 as sRGB: a polynomial fitted to matplotlib's table, at most 6 of 255 off.
pub fn magma(t: f64) -> [u8; 3] {
    const COEFFICIENTS: [[f64; 3]; 7] = [
        [-0.002136, -0.000750, -0.005386],
        [0.251661, 0.677523, 2.494027],
        [8.353717, -3.577720, 0.314468],
        [-27.668733, 14.264731, -13.649213],
        [52.176140, -27.943606, 12.944169],
        [-50.768525, 29.046583, 4.234153],
        [18.655706, -11.489774, -5.601962],
    ];
    std::array::from_fn(|channel| {
        let horner = |sum: f64, row: &[f64; 3]| sum * t + row[channel];
        let value = COEFFICIENTS.iter().rev().fold(0.0, horner);
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (u32, u32, Vec<[u8; 3]>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let rgb = pixels.as_chunks::<3>().0.to_vec();
        (info.width, info.height, rgb)
    }

    #[test]
    fn low_bands_are_at_the_bottom_and_time_runs_right() {
        // Loud only in frame 0, band 0.
        let mut values = vec![0.0; 3 * 2];
        values[0] = 1.0;
        let (width, height, pixels) = decode(&heatmap_png(&values, 3, 2, 2));
        assert_eq!((width, height), (6, 4));
        let light = |x: usize, y: usize| pixels[y * 6 + x].iter().all(|&c| c > 180);
        for y in 0..4 {
            for x in 0..6 {
                assert_eq!(light(x, y), x < 2 && y >= 2, "pixel {x}, {y}");
            }
        }
    }

    #[test]
    fn odd_values_still_make_a_picture() {
        let (.., silent) = decode(&heatmap_png(&[-16.1; 6], 2, 3, 1));
        assert!(silent.iter().all(|&pixel| pixel == magma(0.0)));
        let (.., pixels) = decode(&heatmap_png(&[f32::NAN, 0.0, f32::INFINITY, 1.0], 4, 1, 1));
        assert_eq!(pixels, [[128; 3], magma(0.0), [128; 3], magma(1.0)]);
        decode(&heatmap_png(&[f32::NAN], 1, 1, 1));
    }

    #[test]
    fn magma_agrees_with_matplotlib() {
        // matplotlib.colormaps["magma"] at 0, 1/4, 1/2, 3/4 and 1.
        let table = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
        for (i, expected) in table.iter().enumerate() {
            let got = magma(i as f64 / 4.0);
            let worst = got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(6), "{got:?} {expected:?}");
        }
        let light = |i: u32| magma(f64::from(i) / 50.0).iter().map(|&c| u32::from(c)).sum::<u32>();
        assert!((0..50).all(|i| light(i) < light(i + 1)));
    }
}
