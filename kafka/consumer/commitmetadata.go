package consumer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
)

// The finished runs above a committed offset travel in the metadata of the
// commit, so that the next owner of the partition need not do them again:
//
//	"ew1." base64( CRC-32C of offset and payload, 4 bytes | payload )
//	payload: for each run, ascending: uvarint gap after the one before
//	         (the first: after the committed offset), uvarint length
//
// A wrong run would lose messages, because they would be skipped. The checksum makes
// metadata of another program, cut short or moved to another offset read as none.
const metadataPrefix = "ew1."

// maxMetadata bounds the metadata that we write. A broker accepts 4096 bytes unless
// offset.metadata.max.bytes says otherwise, and refuses more for its partition alone.
const maxMetadata = 4000

// maxWindow bounds Config.Window by what fits into maxMetadata. At worst a window
// alternates between runs and single messages in flight: a byte for each such gap,
// and three for a run of up to two million offsets.
const maxWindow = 1400

var (
	castagnoli       = crc32.MakeTable(crc32.Castagnoli)
	metadataEncoding = base64.RawStdEncoding

	errForeignMetadata = errors.New("metadata of another program")
	errBrokenMetadata  = errors.New("metadata does not belong to its offset")
)

// encodeRuns returns the metadata for a commit of offset low: at most limit bytes,
// with the lowest runs when not all fit. It is empty without runs.
func encodeRuns(low int64, runs []run, limit int) string {
	const sum = 4
	payload := make([]byte, sum, sum+4*len(runs))
	at := low
	for _, r := range runs {
		longer := binary.AppendUvarint(payload, uint64(r.first-at))
		longer = binary.AppendUvarint(longer, uint64(r.next-r.first))
		if len(metadataPrefix)+metadataEncoding.EncodedLen(len(longer)) > limit {
			break
		}
		payload, at = longer, r.next
	}
	if len(payload) == sum {
		return ""
	}
	binary.LittleEndian.PutUint32(payload, checksum(low, payload[sum:]))
	out := make([]byte, 0, len(metadataPrefix)+metadataEncoding.EncodedLen(len(payload)))
	out = append(out, metadataPrefix...)
	return string(metadataEncoding.AppendEncode(out, payload))
}

// decodeRuns reads the metadata of a commit of offset low. The runs are
// ascending, not empty, and at or above low; there are none on an error.
func decodeRuns(low int64, metadata string) ([]run, error) {
	if metadata == "" {
		return nil, nil
	}
	text, ours := strings.CutPrefix(metadata, metadataPrefix)
	if !ours {
		return nil, errForeignMetadata
	}
	payload, err := metadataEncoding.DecodeString(text)
	if err != nil || len(payload) < 4 || low < 0 {
		return nil, errBrokenMetadata
	}
	sum, payload := binary.LittleEndian.Uint32(payload), payload[4:]
	if sum != checksum(low, payload) {
		return nil, errBrokenMetadata
	}
	var runs []run
	for at := low; len(payload) > 0; {
		gap, n := binary.Uvarint(payload)
		if n <= 0 {
			return nil, errBrokenMetadata
		}
		length, m := binary.Uvarint(payload[n:])
		if m <= 0 || length == 0 || gap > math.MaxInt64 || length > math.MaxInt64 ||
			uint64(at)+gap > math.MaxInt64 || uint64(at)+gap+length > math.MaxInt64 {
			return nil, errBrokenMetadata
		}
		r := run{first: at + int64(gap), next: at + int64(gap) + int64(length)}
		runs = append(runs, r)
		at, payload = r.next, payload[n+m:]
	}
	return runs, nil
}

func checksum(low int64, payload []byte) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(low))
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, payload)
}
