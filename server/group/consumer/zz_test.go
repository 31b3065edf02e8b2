package consumer
import ("testing";"fmt";"os";"strconv")
func TestZZ(t *testing.T) {
	s,_ := strconv.ParseUint(os.Getenv("ZZ"),10,64)
	m := newModel(t, s)
	prev := 0
	for i := 0; i < 2000 && m.fault == ""; i++ {
		m.step()
		if i%500 == 499 { m.settle() }
		if m.log.next != prev || true {
			fmt.Println("---", i, m.steps, m.now.UnixMilli()%10000000, kinds(m.last)); prev = m.log.next
			for _, c := range m.clients { fmt.Printf("   %s classic=%v eager=%v dead=%v joined=%v synced=%v epoch=%d holds=%d unsure=%v\n", c.id, c.classic, c.eager, c.dead, c.joined, c.synced, c.epoch, len(c.holds), c.unsure) }
			fmt.Println(dump(m.g))
		}
	}
	fmt.Println(m.fault)
}
