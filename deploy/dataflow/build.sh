#!/usr/bin/env bash
# Builds the image of this very code, and describes it as a Flex Template: make image PROJECT= REGION= [TEMPLATE=gs://...json]
# With docker here, or by Cloud Build where there is none. An image that is there already is not built again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly project=$1 region=$2 template=${3:-}
command -v gcloud >/dev/null || { printf 'make image: gcloud is needed: the Google Cloud CLI\n' >&2; exit 2; }
image=$(.venv/bin/python -c 'import sys; from pipelines.dataflow import image_name; print(image_name(*sys.argv[1:]))' "$project" "$region")
readonly image

if gcloud artifacts docker images describe "$image" --project "$project" >/dev/null 2>&1; then
  printf '%s is there already\n' "$image"
else
  gcloud artifacts repositories describe altiplano --project "$project" --location "$region" >/dev/null 2>&1 ||
    gcloud artifacts repositories create altiplano --project "$project" --location "$region" --repository-format docker
  if docker version >/dev/null 2>&1; then
    gcloud auth configure-docker --quiet "$region-docker.pkg.dev"
    DOCKER_BUILDKIT=1 docker build --file deploy/dataflow/Dockerfile --build-arg "IMAGE=$image" --tag "$image" .
    docker push "$image"
  else
    gcloud builds submit --project "$project" --config deploy/dataflow/cloudbuild.yaml --substitutions "_IMAGE=$image" .
  fi
fi
[[ -z $template ]] || gcloud dataflow flex-template build "$template" --project "$project" --image "$image" \
  --sdk-language PYTHON --metadata-file deploy/dataflow/metadata.json
printf '%s\n' "$image"
