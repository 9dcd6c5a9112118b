# The exporter's image; with `--target demo` that of the demo's agent and of its providers.
#
#   docker build -t voice-exporter .
#   deploy/build-image.sh --base IMAGE       without docker, by buildah
#
# BASE may be any Debian with Python 3.11 or newer, its venv module, ca-certificates and tzdata.
# Both stages use the same one, because a virtual environment points at the Python it was made with.
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# Dependencies before the code: a change of the code alone leaves their layer as it is.
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m venv /build \
 && /build/bin/pip install --require-hashes -r requirements/build.txt \
 && python3 -m venv --without-pip /opt/voice-exporter \
 && /build/bin/pip --python /opt/voice-exporter install \
      --only-binary=:all: --require-hashes -r requirements/run.txt \
 && find /opt/voice-exporter -path '*/numpy/*' -name tests -prune -exec rm -r {} +
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /build/bin/pip --python /opt/voice-exporter install --no-deps /dist/*.whl

FROM build AS build-demo
COPY requirements/demo.txt requirements/
RUN /build/bin/pip --python /opt/voice-exporter install \
      --only-binary=:all: --require-hashes -r requirements/demo.txt

FROM ${BASE} AS run
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="voice-exporter" \
      org.opencontainers.image.description="Prometheus exporter that calls LiveKit voice agents and measures what the caller hears" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The group 0 may write the ledger, because that is the group of a user id that no image knows.
RUN install -d -o 10001 -g 0 -m 0770 /var/lib/voice-exporter
COPY deploy/container/voice-exporter.yaml /etc/voice-exporter/voice-exporter.yaml
COPY deploy/container/healthcheck.py /usr/local/bin/voice-exporter-healthcheck
# HOME is for what expects one; the exporter writes to STATE_DIRECTORY alone.
ENV PATH=/opt/voice-exporter/bin:${PATH} \
    HOME=/tmp \
    STATE_DIRECTORY=/var/lib/voice-exporter
# Where every user may be: a folder that the user may not enter would end the processes of probes.
WORKDIR /
USER 10001:0

FROM run AS demo
COPY --from=build-demo /opt/voice-exporter /opt/voice-exporter
ENTRYPOINT ["python3", "-m"]
CMD ["exporter.demo.agent", "--help"]

FROM run AS exporter
COPY --from=build /opt/voice-exporter /opt/voice-exporter
VOLUME /var/lib/voice-exporter
EXPOSE 9465
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["voice-exporter-healthcheck"]
ENTRYPOINT ["voice-exporter"]
CMD ["serve", "--config", "/etc/voice-exporter/voice-exporter.yaml"]
