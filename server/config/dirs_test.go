package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseLogDir(t *testing.T) {
	for text, want := range map[string]LogDir{
		"/data":           {Path: "/data"},
		"./data":          {Path: "./data"},
		"ssd:/d1":         {Path: "/d1", Class: "ssd"},
		"nvme_2-a:d1":     {Path: "d1", Class: "nvme_2-a"},
		`C:\data`:         {Path: `C:\data`},
		`c:\data`:         {Path: `c:\data`},
		`ssd:C:\data`:     {Path: `C:\data`, Class: "ssd"},
		"SSD:/d1":         {Path: "SSD:/d1"},
		"/mnt/a:b":        {Path: "/mnt/a:b"},
		"./ssd:x":         {Path: "./ssd:x"},
		":/d1":            {Path: ":/d1"},
		`\\host\share\d1`: {Path: `\\host\share\d1`},
		"ssd:":            {Class: "ssd"},
	} {
		if got := parseLogDir(text); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestDirs(t *testing.T) {
	for flags, want := range map[string]string{
		"log.dirs=ssd:/d1,hdd:/d2":                   "[{/d1 ssd false} {/d2 hdd false}] /d1",
		"log.dirs=/d1, /d2 cordoned.log.dirs=/d2/":   "[{/d1  false} {/d2  true}] /d1",
		"log.dirs=/d1,/d2 cordoned.log.dirs=*":       "[{/d1  true} {/d2  true}] /d1",
		"log.dirs=ssd:/d1,/d2 metadata.log.dir=/d2/": "[{/d1 ssd false} {/d2  false}] /d2",
		"log.dirs=/d1 metadata.log.dir=/m":           "[{/d1  false}] /m",
		"log.dir=/d1,/d2":                            "[{/d1  false} {/d2  false}] /d1",
		"log.dirs=ssd:/d1,hdd:/d1/":                  "log.dirs names /d1/ twice",
		"log.dirs=ssd:,hdd:/d1":                      "log.dirs names no directory",
		"log.dirs=/d1 cordoned.log.dirs=/d2":         "names /d2, which is not in log.dirs",
	} {
		v, err := Load(Input{Flags: strings.Fields(strings.ReplaceAll(flags, ", ", ","))})
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", flags, err, want)
			}
			continue
		}
		b := v.Broker()
		if got := fmt.Sprint(b.LogDirs, " ", b.MetadataDir); got != want {
			t.Errorf("%s: %s, want %s", flags, got, want)
		}
	}
}

func TestStorageClass(t *testing.T) {
	v := Defaults()
	for class, good := range map[string]bool{"": true, "ssd": true, "a": false, "SSD": false, "a b": false, strings.Repeat("x", 33): false} {
		if err := v.ValidateTopic(map[string]string{"storage.class": class}); (err == nil) != good {
			t.Errorf("%q: %v", class, err)
		}
	}
	if got := v.Broker().Topic(map[string]string{"storage.class": "ssd"}).StorageClass; got != "ssd" {
		t.Errorf("resolved to %q", got)
	}
	for _, c := range []struct {
		class   string
		classes []string
		says    string
	}{{"", nil, ""}, {"ssd", []string{"hdd", "ssd"}, ""}, {"ssd", nil, "no data directory has a class"}, {"tape", []string{"hdd", "ssd"}, "classes hdd, ssd"}} {
		err := CheckStorageClass(c.class, c.classes)
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s of %v: %v", c.class, c.classes, err)
		}
	}
}
