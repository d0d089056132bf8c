# syntax=docker/dockerfile:1
# PrivateKernels for the processor: docker build -t privatekernels .
# The image has no shell, runs as 10001 and writes to /var/lib/privatekernels only:
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges --ulimit core=0 -p 7443:7443 \
#     -v privatekernels:/var/lib/privatekernels -v ./secrets:/etc/privatekernels:ro privatekernels
# with ./secrets made by `pk init secrets` and readable by 10001. docker/cuda.Dockerfile is the same for NVIDIA GPUs.
ARG DOTNET=mcr.microsoft.com/dotnet
ARG VERSION=10.0

FROM --platform=$BUILDPLATFORM ${DOTNET}/sdk:${VERSION}-noble AS build
WORKDIR /source
COPY . .
# Portable: the same files run on every architecture, so nothing is emulated to build for another one.
RUN dotnet publish src/PrivateKernels.Cli -c Release -o /publish -p:RestoreLockedMode=true -p:UseAppHost=false \
    -p:DebugType=none && mkdir -m 0700 /data

FROM ${DOTNET}/aspnet:${VERSION}-noble-chiseled AS runtime
COPY --from=build /publish /opt/privatekernels
COPY --from=build --chown=10001:10001 /data /var/lib/privatekernels
# Off loopback the server starts only with a certificate and keys: without the files below it says so and ends with 78.
# 10001 is in no passwd file: not every runtime gives it a home, and without one .NET does not open certificate stores.
ENV HOME=/ \
    DOTNET_EnableDiagnostics=0 \
    DOTNET_DbgEnableMiniDump=0 \
    DOTNET_gcServer=0 \
    PK_Data__Directory=/var/lib/privatekernels \
    PK_Grpc__Listen=0.0.0.0:7443 \
    PK_Side__Listen=0.0.0.0:7081 \
    PK_Tls__CertificateFile=/etc/privatekernels/tls.crt \
    PK_Tls__KeyFile=/etc/privatekernels/tls.key \
    PK_Security__KeysFile=/etc/privatekernels/keys.json
USER 10001:10001
WORKDIR /var/lib/privatekernels
VOLUME /var/lib/privatekernels
EXPOSE 7443 7081
# The server is process 1, so signals reach it directly; it needs Shutdown:Drain and up to 20 s for queries to end.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["dotnet", "/opt/privatekernels/pk.dll", "health"]
ENTRYPOINT ["dotnet", "/opt/privatekernels/pk.dll"]
CMD ["serve"]
