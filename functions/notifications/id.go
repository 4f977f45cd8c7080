package notifications

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// crockford is the alphabet of ULIDs.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Parts of a ULID in characters.
const (
	timeChars   = 10
	randomChars = 16
)

// idOf returns the id of the notification that a template makes of a subject: a
// ULID with the subject's time and, where others are random, a hash of both. The
// same news about the same subject so has the same id, always and everywhere,
// and is found and refused by it without a second item to say so.
func idOf(template, subject string) string {
	sum := sha256.Sum256([]byte(template + "\x00" + subject))
	_, ulid, _ := strings.Cut(subject, "_")
	if len(ulid) != timeChars+randomChars {
		// Not one of the platform's ids. It has no time, so the earliest.
		ulid = strings.Repeat("0", timeChars)
	}
	return "ntf_" + ulid[:timeChars] + crockford.EncodeToString(sum[:10])
}
