// Package apperrtest reads classified errors in tests.
//
// It exists because code decides by an error's kind, and tests want to know the code
// that the client sees too.
package apperrtest

import (
	"errors"

	"tradewind/shared/apperr"
)

// Code returns the code of the first classified error in err's chain, or "internal".
func Code(err error) string {
	if e, ok := errors.AsType[*apperr.Error](err); ok {
		return e.Code
	}
	return "internal"
}
