package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/explaind/explaind/bench/bare"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/tfmodel"
)

// The names of contestants, with the batch size or the number of clients behind them.
const (
	plainSession  = "plain session, predict"
	predictBare   = "session, predict"
	explainBare   = "session, Grad-CAM"
	predictTensor = "server, predict tensor"
	explainTensor = "server, Grad-CAM tensor"
	predictJPEG   = "server, predict JPEG"
	explainJPEG   = "server, Grad-CAM JPEG"
	decodeTensor  = "decode tensor"
	decodeJPEG    = "decode JPEG"
)

// program is a contestant's name where one program decodes the image, runs the session, and begins again: all that a server
// does but serve.
func program(server string) string {
	return strings.Replace(server, "server", "decode and run in one program", 1)
}

// title is a contestant's name at a batch size or number of clients.
func title(name string, n int) string { return fmt.Sprintf("%s × %d", name, n) }

// measure prints the tables of one model.
func (s *setup) measure(dir string) (err error) {
	cache, err := os.MkdirTemp("", "explaind-throughput-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	m, err := tfmodel.Open(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err != nil {
		return err
	}
	defer m.Close()
	server, err := startServer(m, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	all, err := s.contestants(dir, m, server)
	if err != nil {
		return err
	}
	if all = all.only(s.only); len(all) == 0 {
		return fmt.Errorf("-only %q leaves nobody", s.only)
	}
	if err := all.run(s.rounds, s.slice); err != nil {
		return err
	}
	s.report(filepath.Base(filepath.Dir(filepath.Clean(dir))), all, runtime.GOMAXPROCS(0))
	return nil
}

// contestants are all that can take part.
func (s *setup) contestants(dir string, m *tfmodel.Model, server *server) (field, error) {
	spec := m.Spec()
	session, err := bare.OpenSession(dir)
	if err != nil {
		return nil, err
	}
	p, err := newPictures(spec)
	if err != nil {
		return nil, err
	}
	all := field{
		{name: decodeTensor, callers: 1, images: 1, call: func(int) error { _, err := decode(p.tensor, spec); return err }},
		{name: decodeJPEG, callers: 1, images: 1, call: func(int) error { _, err := decode(p.jpeg, spec); return err }},
	}
	for _, image := range []struct {
		predict, explain string
		image            *pb.Image
	}{{predictTensor, explainTensor, p.tensor}, {predictJPEG, explainJPEG, p.jpeg}} {
		all = append(all,
			&contestant{name: program(image.predict), callers: 1, images: 1, call: func(int) error {
				images, err := decode(image.image, spec)
				if err == nil {
					_, err = m.Predict(context.Background(), images)
				}
				return err
			}},
			&contestant{name: program(image.explain), callers: 1, images: 1, call: func(int) error {
				images, err := decode(image.image, spec)
				if err == nil {
					err = bare.GradCAM(m, images)
				}
				return err
			}},
		)
	}
	for _, n := range s.batches {
		images := bare.RandomImages(spec.Input, n)
		all = append(all,
			&contestant{name: title(plainSession, n), callers: 1, images: n, call: func(int) error { return session.Predict(images) }},
			&contestant{name: title(predictBare, n), callers: 1, images: n, call: func(int) error {
				_, err := m.Predict(context.Background(), images)
				return err
			}},
			&contestant{name: title(explainBare, n), callers: 1, images: n, call: func(int) error { return bare.GradCAM(m, images) }},
		)
	}
	for _, n := range s.clients {
		stubs, err := server.clients(n)
		if err != nil {
			return nil, err
		}
		for _, image := range []struct {
			predict, explain string
			image            *pb.Image
		}{{predictTensor, explainTensor, p.tensor}, {predictJPEG, explainJPEG, p.jpeg}} {
			all = append(all,
				&contestant{name: title(image.predict, n), callers: n, images: 1, call: func(caller int) error {
					_, err := stubs[caller].Predict(context.Background(), &pb.PredictRequest{Image: image.image})
					return err
				}},
				&contestant{name: title(image.explain, n), callers: n, images: 1, call: func(caller int) error {
					_, err := stubs[caller].Explain(context.Background(), &pb.ExplainRequest{Image: image.image})
					return err
				}},
			)
		}
	}
	return all, nil
}
