FROM python:3.13-slim-trixie
# libgomp: torch's OpenMP runtime.
RUN apt-get update && apt-get install --no-install-recommends -y libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/lookalike
COPY constraints.txt pyproject.toml README.md LICENSE ./
# The CPU build of torch, at the pinned version, comes from PyTorch's own index.
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu torch
COPY app app
COPY migrations migrations
COPY sql sql
RUN pip install --no-cache-dir --constraint constraints.txt .
RUN useradd --create-home lookalike && mkdir /data && chown lookalike /data
USER lookalike
ENV LOOKALIKE_HOME=/data LOOKALIKE_MODELS_FOLDER=/data/models LOOKALIKE_HOST=0.0.0.0 OMP_WAIT_POLICY=PASSIVE
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/readyz')"]
CMD ["lookalike", "serve"]
