# The daemon, without root and without anything that is not in requirements.lock.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /tools && python -m venv --without-pip /opt/triage
COPY requirements.lock pyproject.toml ./
# The whole lock, tools included, stays in this stage; the run-time half of it, checked by the same hashes, moves on.
RUN /tools/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && /tools/bin/uv pip install --no-cache --python /opt/triage/bin/python --require-hashes -r pyproject.toml -c requirements.lock
COPY README.md LICENSE ./
COPY triage triage
COPY simulators simulators
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /tools/bin/uv pip install --no-cache --python /opt/triage/bin/python --no-deps /dist/*.whl

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/triage --shell /usr/sbin/nologin triage \
 && install -d -o triage -g triage -m 0750 /var/lib/triage
COPY --from=build /opt/triage /opt/triage
COPY config /etc/triage
ENV PATH=/opt/triage/bin:$PATH PYTHONUNBUFFERED=1
USER triage
WORKDIR /var/lib/triage
VOLUME /var/lib/triage
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["triage"]
CMD ["serve", "--config", "/etc/triage/triage.yaml"]
