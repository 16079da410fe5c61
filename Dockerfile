# syntax=docker/dockerfile:1
# One image for the API, the workers, the codec server and the migrations; the command says which.

FROM python:3.13.7-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /source
COPY pyproject.toml requirements.lock ./
# Of the lock only what runs in production: the requirements name the packages, the lock their versions and hashes.
RUN uv venv /opt/carillon \
    && uv pip install --no-cache --python /opt/carillon/bin/python --require-hashes \
        --requirements pyproject.toml --constraints requirements.lock
COPY . .
RUN uv build --wheel --out-dir /wheel --build-constraints requirements.lock --require-hashes \
    && uv pip install --no-cache --python /opt/carillon/bin/python --no-deps /wheel/*.whl

FROM python:3.13.7-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin carillon
COPY --from=build /opt/carillon /opt/carillon
ENV PATH=/opt/carillon/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONTZPATH="" CARILLON_API_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8080 9464
ENTRYPOINT ["carillon"]
CMD ["api"]
