package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// What a codec may take because a batch claims it. Gzip and LZ4 have formats with small
// blocks; the other two believe what they read.
const (
	// maxSnappyBlock bounds a block of Snappy, which is decompressed as a whole.
	maxSnappyBlock = 256 << 20
	// maxSnappyRatio is above what a block can expand to: three bytes stand for 64.
	maxSnappyRatio = 22
	// maxZstdWindow bounds how far back a frame of Zstandard may refer, which is kept.
	// It is enough for every level that is not called ultra but level 20, and for all
	// levels of Go's encoders.
	maxZstdWindow = 32 << 20
)

var errSnappyBlock = errors.New("a Snappy block claims more than it can hold")

// newDecoder returns a reader of a batch's records; nil for an unknown codec. What takes
// more memory than is in proportion is an error, here or of the reader.
func newDecoder(kind compress.Compression, packed []byte, source io.Reader) (io.ReadCloser, error) {
	codec := kind.Codec()
	if codec == nil {
		return nil, fmt.Errorf("unknown compression %d", kind)
	}
	switch kind {
	case compress.Snappy:
		if err := checkSnappy(packed); err != nil {
			return nil, err
		}
	case compress.Zstd:
		return newZstd(source)
	}
	return codec.NewReader(source), nil
}

// snappyMagic begins the frames in which most clients put Snappy's blocks; two version
// numbers follow it.
const (
	snappyMagic  = "\x82SNAPPY\x00"
	snappyHeader = len(snappyMagic) + 8
)

// checkSnappy checks the sizes that a batch claims for its blocks. There may be one
// block without frames.
func checkSnappy(b []byte) error {
	if len(b) < snappyHeader || !bytes.HasPrefix(b, []byte(snappyMagic)) {
		return checkSnappyBlock(b)
	}
	b = b[snappyHeader:]
	for len(b) >= 4 { // less is an error of the reader
		size := int64(binary.BigEndian.Uint32(b))
		if b = b[4:]; size > int64(len(b)) {
			return errSnappyBlock
		}
		if err := checkSnappyBlock(b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

func checkSnappyBlock(b []byte) error {
	size, n := binary.Uvarint(b)
	if n > 0 && (size > maxSnappyBlock || size > maxSnappyRatio*uint64(len(b))) {
		return fmt.Errorf("%w: %d bytes in %d", errSnappyBlock, size, len(b))
	}
	return nil // without a size it is an error of the reader
}

// zstdReader returns itself to its pool when it is closed.
type zstdReader struct {
	*zstd.Decoder
}

var zstdReaders sync.Pool // *zstd.Decoder

func newZstd(source io.Reader) (io.ReadCloser, error) {
	if d, ok := zstdReaders.Get().(*zstd.Decoder); ok {
		return zstdReader{d}, d.Reset(source)
	}
	d, err := zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
	return zstdReader{d}, err
}

func (r zstdReader) Close() error {
	err := r.Reset(nil) // it must not keep the batch alive
	zstdReaders.Put(r.Decoder)
	return err
}
