package takeover

import (
	"context"
	"fmt"
	"io"

	"sordini/segment/vfs"
)

// copyStep is how much is copied between two looks at whether it is still wanted, in
// bytes: whole blocks of any file system, which some share instead of copying them.
const copyStep = 64 << 20

// copyRange makes the first n bytes of src the contents of dst, which is new. Where the
// system can, it copies without bringing the bytes here (copy_file_range).
func copyRange(ctx context.Context, dst, src vfs.File, n int64) error {
	to, from := dst.OS(), src.OS()
	if to == nil || from == nil {
		return copySlow(ctx, dst, src, n)
	}
	for at := int64(0); at < n; {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := min(copyStep, n-at)
		got, err := io.Copy(to, io.LimitReader(from, step)) // both files are used here only
		if err == nil && got < step {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("copy %s to %s at %d: %w", src.Name(), dst.Name(), at+got, err)
		}
		at += step
	}
	return nil
}

func copySlow(ctx context.Context, dst, src vfs.File, n int64) error {
	buf := make([]byte, min(walkBuffer, n))
	for at := int64(0); at < n; at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf = buf[:min(int64(len(buf)), n-at)]
		if err := vfs.ReadFull(src, buf, at); err != nil {
			return err
		}
		if err := vfs.WriteFull(dst, [][]byte{buf}, at); err != nil {
			return err
		}
	}
	return nil
}
