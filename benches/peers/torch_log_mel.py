"""The log-mel front end in PyTorch, for `cola bench input`: hours of audio a second.

Usage: OMP_NUM_THREADS=2 python benches/peers/torch_log_mel.py
"""

import statistics
import time

import torch

SEGMENTS, SAMPLES, RATE_HZ = 256, 15_680, 16_000


def main():
    torch.set_num_threads(2)
    # torch.stft frames by the FFT's length: with 312 samples more on each side it makes the same 96 frames of 400
    samples = torch.nn.functional.pad(torch.randn(SEGMENTS, SAMPLES), (312, 312))
    window = torch.hann_window(400, periodic=True)
    mel = torch.rand(64, 513)

    def log_mel():
        spectrum = torch.stft(samples, 1024, hop_length=160, win_length=400, window=window, center=False,
                              return_complex=True).abs()
        return torch.log(torch.clamp(mel @ spectrum, min=1e-5))

    log_mel()
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        log_mel()
        seconds.append(time.perf_counter() - start)
    hours = SEGMENTS * SAMPLES / RATE_HZ / 3600
    print(f"PyTorch {torch.__version__} log-mel {hours / statistics.median(seconds):.2f} hours of audio a second")


if __name__ == "__main__":
    main()
