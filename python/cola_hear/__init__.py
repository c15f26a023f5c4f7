"""Embeddings of cola-wgpu encoders through the API of HEAR: see README.md beside this folder.

The program `cola` runs as a process of its own (`cola hear RUN --pipe`); sounds and vectors go through its pipes.
"""

import json
import os
import pathlib
import shutil
import subprocess

import numpy as np

try:
    import torch

    _Base = torch.nn.Module
except ImportError:
    torch = None
    _Base = object

__all__ = ["Model", "load_model", "get_scene_embeddings", "get_timestamp_embeddings"]


class Model(_Base):
    """An encoder, and the process that runs it. `close` ends the process; so does the end of a `with`."""

    def __init__(self, run, cola=None, options=()):
        super().__init__()
        command = [_find_program(cola), "hear", os.fspath(run), "--pipe", *map(str, options)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        about = self._read_line()
        self.sample_rate = int(about["sample_rate_hz"])
        self.scene_embedding_size = int(about["features"])
        self.timestamp_embedding_size = int(about["features"])
        self.hop_ms = float(about["hop_ms"])

    def embed(self, kind, audio):
        """float32 vectors of `audio` [sounds, samples]: kind "scene" [sounds, size], "timestamps" [sounds, t, size]."""
        audio = np.ascontiguousarray(audio, "<f4")
        if audio.ndim != 2 or audio.size == 0:
            raise ValueError(f"audio has the shape {audio.shape}; [sounds, samples] is wanted, neither of them 0")
        sounds, samples = audio.shape
        request = json.dumps({"kind": kind, "sounds": sounds, "samples": samples}) + "\n"
        try:
            self._process.stdin.write(request.encode() + audio.tobytes())
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise RuntimeError("the program cola has ended; load the model again") from None
        shape = self._read_line()["shape"]
        data = self._process.stdout.read(4 * int(np.prod(shape)))
        return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)

    def close(self):
        """Ends the process."""
        process = self._process
        if process.poll() is None:
            process.stdin.close()
            process.wait()
        process.stdout.close()

    def _read_line(self):
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise RuntimeError(f"the program cola ended (exit code {code}); it says why on standard error")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if "_process" in self.__dict__:
            self.close()


def load_model(model_file_path="", cola=None, options=()):
    """The encoder of a run's folder or a .safetensors file. `cola` is the program, `options` are passed to it."""
    if not os.fspath(model_file_path):
        raise ValueError("load_model wants the folder of a run of `cola pretrain`, or a .safetensors file")
    return Model(model_file_path, cola, options)


def get_scene_embeddings(audio, model):
    """float32 [sounds, size] of audio [sounds, samples] at model.sample_rate."""
    return _like(audio, model.embed("scene", _to_numpy(audio)))


def get_timestamp_embeddings(audio, model):
    """float32 [sounds, t, size], and the times [sounds, t] in milliseconds, of audio [sounds, samples]."""
    vectors = model.embed("timestamps", _to_numpy(audio))
    times = np.arange(vectors.shape[1], dtype=np.float32) * np.float32(model.hop_ms)
    return _like(audio, vectors), _like(audio, np.tile(times, (len(vectors), 1)))


def _find_program(cola):
    name = "cola.exe" if os.name == "nt" else "cola"
    built = pathlib.Path(__file__).resolve().parents[2] / "target" / "release" / name
    found = cola or os.environ.get("COLA") or shutil.which("cola") or (built.exists() and built)
    if not found:
        raise FileNotFoundError("the program cola is not on the PATH; name it with cola=... or the variable COLA")
    return os.fspath(found)


def _is_tensor(audio):
    return torch is not None and isinstance(audio, torch.Tensor)


def _to_numpy(audio):
    return audio.detach().cpu().numpy() if _is_tensor(audio) else np.asarray(audio)


def _like(audio, values):
    return torch.from_numpy(values).to(audio.device) if _is_tensor(audio) else values
