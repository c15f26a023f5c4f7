// eight_rows: four positions of eight features, which stand `pitch` apart; all lanes of a workgroup want the same
// Expects of the including file: fn row(at: u32, of_dy: bool) -> vec4<f32>.

struct EightRows { low: mat4x4<f32>, high: mat4x4<f32> }

var<private> own_lane: u32;

fn eight_rows(at: u32, pitch: u32, of_dy: bool) -> EightRows {
    return EightRows(
        mat4x4<f32>(row(at, of_dy), row(at + pitch, of_dy), row(at + 2u * pitch, of_dy), row(at + 3u * pitch, of_dy)),
        mat4x4<f32>(row(at + 4u * pitch, of_dy), row(at + 5u * pitch, of_dy), row(at + 6u * pitch, of_dy), row(at + 7u * pitch, of_dy)),
    );
}
