FROM python:3.13-slim-trixie
WORKDIR /srv/lookalike
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
COPY sql sql
# docker build --build-arg EXTRAS=huggingface adds torch and transformers; torch's build for CPUs comes from its own index.
ARG EXTRAS=""
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu ".${EXTRAS:+[$EXTRAS]}"
RUN useradd --create-home lookalike && mkdir /data && chown lookalike /data
USER lookalike
ENV LOOKALIKE_HOME=/data LOOKALIKE_MODELS_FOLDER=/data/models LOOKALIKE_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/readyz')"]
CMD ["lookalike", "serve"]
