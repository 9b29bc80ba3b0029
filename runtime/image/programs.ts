/** The small programs of the host that the default image takes along where the host has them. */
export const programNames = [
  ..."bash sh env id whoami groups date sleep timeout seq true false kill pgrep pkill ps nproc".split(
    " ",
  ),
  ..."uname hostname pwd printf echo test [ expr yes tty stty clear tput nice nohup xargs".split(
    " ",
  ),
  ..."cat ls cp mv rm mkdir rmdir ln touch stat chmod install mktemp mkfifo truncate sync".split(
    " ",
  ),
  ..."readlink realpath dirname basename df du dd tee which find diff cmp file".split(" "),
  ..."head tail tr sort uniq wc cut paste join comm tac rev nl od split shuf fold fmt".split(" "),
  ..."grep egrep fgrep sed awk numfmt base32 base64 md5sum sha1sum sha256sum sha512sum".split(" "),
  ..."tar gzip gunzip zcat bzip2 bunzip2 xz unxz getconf locale ldd".split(" "),
] as const;

/** Where the host keeps them, best first. */
export const programDirectories = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] as const;
