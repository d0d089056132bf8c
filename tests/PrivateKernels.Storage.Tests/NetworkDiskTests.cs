using PrivateKernels.Storage;

namespace PrivateKernels.Tests;

public sealed class NetworkDiskTests
{
    static readonly string[] Mounts =
    [
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
        "40 22 0:35 / /data rw - nfs4 server:/export rw",
        "41 40 8:2 / /data/local rw,noatime shared:7 master:2 - xfs /dev/sdb1 rw",
        "42 22 0:36 / /mnt/two\\040words rw - fuse.sshfs host: rw",
        "43 22 8:3 / /over rw - ext4 /dev/sdc1 rw",
        "44 43 0:37 / /over rw - cifs //host/share rw",
    ];

    [Theory]
    [InlineData("/var/lib/pk", "ext4")]
    [InlineData("/data", "nfs4")]
    [InlineData("/data/pk", "nfs4")]
    [InlineData("/database", "ext4")]
    [InlineData("/data/local/pk", "xfs")]
    [InlineData("/mnt/two words/pk", "fuse.sshfs")]
    [InlineData("/over/pk", "cifs")]
    public void The_deepest_and_last_mount_over_a_path_says_what_kind_of_disk_it_is(string path, string kind) =>
        Assert.Equal(kind, NetworkDisk.KindOf(path, Mounts));

    [Fact]
    public void A_temporary_folder_is_not_on_a_network() => Assert.False(NetworkDisk.Holds(Path.GetTempPath()));
}
