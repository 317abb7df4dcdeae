package pubsub

import (
	"context"
	"time"
)

// canaries publish those of one link, and judge the link by those that come back. publish is called by one goroutine,
// came by the reader, silent by any, close once when all that is over.
type canaries interface {
	// publish sends one in the way that proves most, and notes it by when it is sent. It may add a blank and what came is
	// to be told to the payload.
	publish(ctx context.Context, channel, payload string, sent time.Time) error

	// came is for one that came back, which was sent at that time.
	came(via string, sent time.Time) verdict

	// silent is for a link on which none that breaks the silence came for a canary timeout. over: it must end so.
	silent() (e ending, over bool)

	close()
}

// A verdict is what a canary that came back says of its link.
type verdict struct {
	alive bool   // the link is not silent
	proof bool   // what is published arrives
	gap   error  // why messages may have been lost before this canary, which none will be after it; nil: none was
	end   ending // the link must end so, if end.err is not nil
}
