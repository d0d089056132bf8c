# syntax=docker/dockerfile:1
# PrivateKernels for NVIDIA GPUs: docker build -t privatekernels -f Dockerfile . && \
#   docker build -t privatekernels:cuda -f docker/cuda.Dockerfile docker
#   docker run --gpus all ... privatekernels:cuda        (the other options as in ../Dockerfile)
# Device programs are compiled by the driver, which the NVIDIA container runtime brings in from the host: the image needs
# no CUDA toolkit, only to say which parts of the driver it wants.
ARG IMAGE=privatekernels
FROM ${IMAGE}
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PK_Engine__Prefer=Auto
