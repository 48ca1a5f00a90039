package native

import (
	"context"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// explainDialect is dialect for ExplainStream.
type explainDialect struct{ service *service.Service }

func (d explainDialect) open(first *pb.ExplainStreamRequest) (*session[pb.ExplainStreamResponse], error) {
	c := first.GetConfig()
	if c == nil {
		return nil, errConfigRequired
	}
	config, err := explainConfig(c.GetConfig())
	if err != nil {
		return nil, err
	}
	e, err := d.service.NewExplainer(selector(c), &config)
	if err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, item *pb.ImageItem, tell func(*pb.ExplainStreamResponse)) (*pb.ExplainStreamResponse, error) {
		image := imageOf(item.GetImage())
		var report func(service.Progress)
		if c.GetProgress() {
			report = func(p service.Progress) {
				tell(&pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Progress{Progress: progress(item.GetSequence(), p)}})
			}
		}
		a, err := e.Explain(ctx, &image, report)
		if err != nil {
			return nil, err
		}
		result := &pb.ItemResult{Sequence: item.GetSequence(), Response: explainResponse(a)}
		return &pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Result{Result: result}}, nil
	}
	return &session[pb.ExplainStreamResponse]{model: e.Model(), ordered: c.GetOrdered(), answer: answer, close: e.Close}, nil
}

func (explainDialect) item(m *pb.ExplainStreamRequest) *pb.ImageItem { return m.GetItem() }

func (explainDialect) started(m *pb.Started) *pb.ExplainStreamResponse {
	return &pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Started{Started: m}}
}

func (explainDialect) failed(m *pb.ItemError) *pb.ExplainStreamResponse {
	return &pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Error{Error: m}}
}

func (explainDialect) draining(m *pb.Draining) *pb.ExplainStreamResponse {
	return &pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Draining{Draining: m}}
}

func (explainDialect) summary(m *pb.Summary) *pb.ExplainStreamResponse {
	return &pb.ExplainStreamResponse{Message: &pb.ExplainStreamResponse_Summary{Summary: m}}
}

// predictDialect is dialect for PredictStream.
type predictDialect struct{ service *service.Service }

func (d predictDialect) open(first *pb.PredictStreamRequest) (*session[pb.PredictStreamResponse], error) {
	c := first.GetConfig()
	if c == nil {
		return nil, errConfigRequired
	}
	p, err := d.service.NewPredictor(selector(c), predictConfig(c))
	if err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, item *pb.ImageItem, _ func(*pb.PredictStreamResponse)) (*pb.PredictStreamResponse, error) {
		image := imageOf(item.GetImage())
		a, err := p.Predict(ctx, &image)
		if err != nil {
			return nil, err
		}
		result := &pb.PredictItemResult{Sequence: item.GetSequence(), Response: predictResponse(a)}
		return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Result{Result: result}}, nil
	}
	return &session[pb.PredictStreamResponse]{model: p.Model(), ordered: c.GetOrdered(), answer: answer, close: p.Close}, nil
}

func (predictDialect) item(m *pb.PredictStreamRequest) *pb.ImageItem { return m.GetItem() }

func (predictDialect) started(m *pb.Started) *pb.PredictStreamResponse {
	return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Started{Started: m}}
}

func (predictDialect) failed(m *pb.ItemError) *pb.PredictStreamResponse {
	return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Error{Error: m}}
}

func (predictDialect) draining(m *pb.Draining) *pb.PredictStreamResponse {
	return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Draining{Draining: m}}
}

func (predictDialect) summary(m *pb.Summary) *pb.PredictStreamResponse {
	return &pb.PredictStreamResponse{Message: &pb.PredictStreamResponse_Summary{Summary: m}}
}
