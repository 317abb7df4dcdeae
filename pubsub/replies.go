package pubsub

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// isRefusal tells an ACL's error reply from all other errors.
func isRefusal(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return said && redis.IsPermissionError(err)
}

// isMoved tells the error reply of a node that does not own the slot.
func isMoved(err error) bool {
	_, moved := redis.IsMovedError(err)
	return moved
}

// isUnsettled tells an error reply of a Cluster that changes, or of a node that starts, or that a script keeps busy:
// another time, or elsewhere, the same command may work.
func isUnsettled(err error) bool {
	return isBusy(err) || isMoved(err) || redis.IsClusterDownError(err) || redis.IsTryAgainError(err) || redis.IsLoadingError(err) || redis.IsMasterDownError(err)
}

// isBusy tells the error reply of a Redis in which a script runs for longer than busy-reply-threshold.
func isBusy(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return said && strings.HasPrefix(err.Error(), "BUSY ")
}

// explain adds to an error of Redis what to do about it.
func (l *link) explain(err error) error {
	if _, said := errors.AsType[redis.Error](err); said && l.sharded() && strings.HasPrefix(err.Error(), "ERR unknown command") {
		return fmt.Errorf("sharded pub/sub needs Redis 7.0 or newer: %w", err)
	}
	return err
}
