package play

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Warm waits until a broker gives producer ids and serves groups of all names, whose
// coordinators a new broker has yet to make.
func Warm(b *Broker) error {
	_, err := Run(Case{Name: "warm", Run: warm}, b, func(kmsg.Request) {})
	return err
}

func warm(p *Play) {
	producer := kmsg.NewPtrInitProducerIDRequest()
	p.Until("there are producer ids", func() bool {
		return p.Quiet(1, producer).(*kmsg.InitProducerIDResponse).ErrorCode == 0
	})
	for i := range 64 {
		group := string(rune('a'+i%26)) + string(rune('a'+i/26))
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = group
		p.Until("there is a coordinator", func() bool {
			return p.Quiet(3, find).(*kmsg.FindCoordinatorResponse).ErrorCode == 0
		})
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Group = group
		p.Until("the coordinator has loaded", func() bool {
			return p.Quiet(7, fetch).(*kmsg.OffsetFetchResponse).ErrorCode == 0
		})
	}
}
