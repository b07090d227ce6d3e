#!/bin/sh
# A hook of mmdebstrap, given the new root: gets the kernel and what its modules are built with, for the host to unpack.
set -eu
meta=$2
chroot "$1" /bin/sh -eu -c '
  meta=$1
  mkdir /kernel
  cd /kernel
  image=$(apt-cache depends "$meta" | sed -n "s/^ *Depends: \(linux-image-[^ ]*\)$/\1/p")
  release=${image#linux-image-}
  version=${release%-cloud-amd64}
  apt-get -o APT::Sandbox::User=root -qq download \
    "$image" "linux-headers-$release" "linux-headers-$version-common" "linux-kbuild-$version"
' sh "$meta"
